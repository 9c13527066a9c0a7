//! Pictures of the archive, as a PDF stores them.
//!
//! JPEG goes in as it is (no generation is lost) unless its colours are those of print, which PDF/A has
//! no place for beside RGB; PNG, GIF, WebP and BMP are decoded. What is larger than [`LARGEST_SIDE`] is
//! made smaller first, and what a camera took sideways is turned on the page. Sizes are checked before
//! anything is allocated; what is damaged, huge or of another kind is not shown, and its line in the
//! list of files still is.

mod turn;

use std::io::{Cursor, Read};

use chatvault_engine::ContentAddress;

use crate::entry::Objects;

pub(super) use self::turn::Turn;

/// In pixels; sharper than print at the size in which pictures are shown.
pub(super) const LARGEST_SIDE: u32 = 2_000;

/// Larger files are not opened.
const LARGEST_BYTES: u64 = 24 << 20;

/// More pixels are not decoded: they would need more than 100 MB.
const MOST_PIXELS: u64 = 24_000_000;

/// A decoder takes no more memory than this.
const MOST_BYTES: usize = 160 << 20;

/// The same for what is taken apart into colour and opacity, which takes room twice.
const MOST_PIXELS_SPLIT: u64 = 16_000_000;

/// Enough of a file to know its kind and size by.
const HEAD_BYTES: u64 = 256 << 10;

/// A picture, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raster {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixels: Pixels,
    /// Opacity, one byte a pixel; `None`: opaque.
    pub(super) alpha: Option<Vec<u8>>,
    pub(super) turn: Turn,
}

/// How a picture's pixels are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    /// A JPEG file with so many colour components: 1 or 3.
    Jpeg(Vec<u8>, u8),
    /// Red, green, blue.
    Rgb(Vec<u8>),
}

/// The size of a stored picture in pixels, as it is seen. `None`: it cannot be shown.
pub(super) fn measure(
    objects: &dyn Objects,
    address: &ContentAddress,
    size: u64,
) -> Option<(u32, u32)> {
    if size > LARGEST_BYTES {
        return None;
    }
    let mut head = fetch(objects, address, HEAD_BYTES)?;
    if matches!(kind(&head), Some(Kind::Webp)) && size > HEAD_BYTES {
        // How it was held stands at its end.
        head = fetch(objects, address, LARGEST_BYTES)?;
    }
    let is_split = !matches!(kind(&head)?, Kind::Jpeg);
    let (width, height) = dimensions(&head).or_else(|| {
        dimensions(&fetch(objects, address, LARGEST_BYTES).filter(|_| size > HEAD_BYTES)?)
    })?;
    let turn = turn_of(&head);
    is_bearable(width, height, is_split).then(|| turn.seen((width, height)))
}

/// What EXIF says in a file.
fn turn_of(bytes: &[u8]) -> Turn {
    match kind(bytes) {
        Some(Kind::Jpeg) => Turn::of_jpeg(bytes),
        Some(Kind::Webp) => webp_turn(bytes).unwrap_or_default(),
        _ => Turn::Upright,
    }
}

fn webp_turn(bytes: &[u8]) -> Option<Turn> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).ok()?;
    decoder.set_memory_limit(MOST_BYTES);
    let exif = decoder.exif_metadata().ok()??;
    Some(Turn::of_exif(exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif)))
}

/// The size in pixels that a file's head tells.
fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    Some(match kind(bytes)? {
        Kind::Jpeg => jpeg_frame(bytes).map(|frame| (frame.width, frame.height))?,
        Kind::Png => {
            let reader = png::Decoder::new(Cursor::new(bytes)).read_info().ok()?;
            (reader.info().width, reader.info().height)
        }
        Kind::Gif => {
            let decoder = gif::DecodeOptions::new().read_info(Cursor::new(bytes)).ok()?;
            (u32::from(decoder.width()), u32::from(decoder.height()))
        }
        Kind::Webp => image_webp::WebPDecoder::new(Cursor::new(bytes)).ok()?.dimensions(),
        Kind::Bmp => bmp_decoder(bytes)?.1,
    })
}

/// Reads and prepares a stored picture.
pub(super) fn load(objects: &dyn Objects, address: &ContentAddress) -> Option<Raster> {
    decode(
        fetch(objects, address, LARGEST_BYTES + 1)
            .filter(|bytes| bytes.len() as u64 <= LARGEST_BYTES)?,
    )
}

fn is_bearable(width: u32, height: u32, is_split: bool) -> bool {
    let most = if is_split { MOST_PIXELS_SPLIT } else { MOST_PIXELS };
    width > 0 && height > 0 && u64::from(width) * u64::from(height) <= most
}

/// The first bytes of an object: at most so many.
fn fetch(objects: &dyn Objects, address: &ContentAddress, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let _read = objects.read(address).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

enum Kind {
    Jpeg,
    Png,
    Gif,
    Webp,
    Bmp,
}

/// What the first bytes say; names and media types lie.
fn kind(bytes: &[u8]) -> Option<Kind> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Some(Kind::Jpeg),
        [0x89, b'P', b'N', b'G', ..] => Some(Kind::Png),
        [b'G', b'I', b'F', b'8', ..] => Some(Kind::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Kind::Webp),
        [b'B', b'M', ..] => Some(Kind::Bmp),
        _ => None,
    }
}

fn decode(bytes: Vec<u8>) -> Option<Raster> {
    let raster = match kind(&bytes)? {
        Kind::Jpeg => return jpeg(bytes),
        Kind::Png => png(&bytes)?,
        Kind::Gif => gif(&bytes)?,
        Kind::Webp => webp(&bytes)?,
        Kind::Bmp => bmp(&bytes)?,
    };
    Some(shrunk(raster))
}

/// What a JPEG file's frame header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    width: u32,
    height: u32,
    components: u8,
    precision: u8,
}

/// Walks the markers up to the frame header.
fn jpeg_frame(bytes: &[u8]) -> Option<Frame> {
    let mut rest = bytes.get(2..)?;
    loop {
        let [0xFF, marker, after @ ..] = rest else { return None };
        match marker {
            0xFF => rest = rest.get(1..)?,
            0x01 | 0xD0..=0xD8 => rest = after,
            0xD9 | 0xDA => return None,
            _ => {
                let [high, low, ..] = after else { return None };
                let length = usize::from(*high) << 8 | usize::from(*low);
                let segment = after.get(2..length.max(2))?;
                if matches!(marker, 0xC0..=0xC2) {
                    let [precision, h1, h2, w1, w2, components, ..] = segment else { return None };
                    let join = |high: u8, low: u8| u32::from(high) << 8 | u32::from(low);
                    let (width, height) = (join(*w1, *w2), join(*h1, *h2));
                    let (components, precision) = (*components, *precision);
                    return Some(Frame { width, height, components, precision });
                }
                rest = after.get(length.max(2)..)?;
            }
        }
    }
}

fn jpeg(bytes: Vec<u8>) -> Option<Raster> {
    let frame = jpeg_frame(&bytes)?;
    if !is_bearable(frame.width, frame.height, false) || frame.precision != 8 {
        return None;
    }
    let (width, height) = (frame.width, frame.height);
    // Decoding proves that readers will see a picture, not an error on the page.
    let (rgb, turn) = (jpeg_pixels(&bytes, frame)?, Turn::of_jpeg(&bytes));
    if width.max(height) <= LARGEST_SIDE && matches!(frame.components, 1 | 3) {
        let pixels = Pixels::Jpeg(bytes, frame.components);
        return Some(Raster { width, height, pixels, alpha: None, turn });
    }
    drop(bytes);
    let small = shrunk(Raster { width, height, pixels: Pixels::Rgb(rgb), alpha: None, turn });
    let Pixels::Rgb(rgb) = &small.pixels else { return Some(small) };
    let mut file = Vec::new();
    let (w, h) = (u16::try_from(small.width).ok()?, u16::try_from(small.height).ok()?);
    let encoder = jpeg_encoder::Encoder::new(&mut file, 88);
    encoder.encode(rgb, w, h, jpeg_encoder::ColorType::Rgb).ok()?;
    Some(Raster { pixels: Pixels::Jpeg(file, 3), ..small })
}

fn jpeg_pixels(bytes: &[u8], frame: Frame) -> Option<Vec<u8>> {
    use zune_jpeg::zune_core::colorspace::ColorSpace;
    use zune_jpeg::zune_core::options::DecoderOptions;
    // The plain code, not the processor's vectors: they round differently from machine to machine.
    let options = DecoderOptions::default().set_use_unsafe(false);
    let options = options.jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(Cursor::new(bytes), options);
    let pixels = decoder.decode().ok()?;
    let expected = u64::from(frame.width) * u64::from(frame.height) * 3;
    (pixels.len() as u64 == expected).then_some(pixels)
}

fn png(bytes: &[u8]) -> Option<Raster> {
    let limits = png::Limits { bytes: MOST_BYTES };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width, reader.info().height);
    if !is_bearable(width, height, true) {
        return None;
    }
    let mut buffer = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut buffer).ok()?;
    buffer.truncate(frame.buffer_size());
    let samples = match frame.color_type {
        png::ColorType::Grayscale => 1,
        png::ColorType::GrayscaleAlpha => 2,
        png::ColorType::Rgb => 3,
        png::ColorType::Rgba => 4,
        png::ColorType::Indexed => return None,
    };
    Some(split(&buffer, width, height, samples))
}

fn gif(bytes: &[u8]) -> Option<Raster> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    options
        .set_memory_limit(gif::MemoryLimit::Bytes(std::num::NonZeroU64::new(MOST_BYTES as u64)?));
    let mut decoder = options.read_info(Cursor::new(bytes)).ok()?;
    let frame = decoder.read_next_frame().ok()??;
    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
    is_bearable(width, height, true).then(|| split(&frame.buffer, width, height, 4))
}

/// The first frame of an animation, as of a GIF.
fn webp(bytes: &[u8]) -> Option<Raster> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).ok()?;
    decoder.set_memory_limit(MOST_BYTES);
    let (width, height) = decoder.dimensions();
    if !is_bearable(width, height, true) {
        return None;
    }
    let mut buffer = vec![0; decoder.output_buffer_size()?];
    decoder.read_image(&mut buffer).ok()?;
    let samples = if decoder.has_alpha() { 4 } else { 3 };
    let raster = split(&buffer, width, height, samples);
    Some(Raster { turn: turn_of(bytes), ..raster })
}

type BmpDecoder<'b> = zune_bmp::BmpDecoder<Cursor<&'b [u8]>>;

/// A decoder that has read the head, and the size that it tells.
fn bmp_decoder(bytes: &[u8]) -> Option<(BmpDecoder<'_>, (u32, u32))> {
    let mut decoder = BmpDecoder::new(Cursor::new(bytes));
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    Some((decoder, (u32::try_from(width).ok()?, u32::try_from(height).ok()?)))
}

fn bmp(bytes: &[u8]) -> Option<Raster> {
    let (mut decoder, (width, height)) = bmp_decoder(bytes)?;
    if !is_bearable(width, height, true) {
        return None;
    }
    let buffer = decoder.decode().ok()?;
    let samples = decoder.colorspace()?.num_components();
    let is_whole = buffer.len() as u64 == u64::from(width) * u64::from(height) * samples as u64;
    if !is_whole || !(1..=4).contains(&samples) {
        return None;
    }
    let mut raster = split(&buffer, width, height, samples);
    // The fourth byte of a pixel is usually left 0 and means nothing.
    raster.alpha = raster.alpha.filter(|alpha| alpha.iter().any(|opacity| *opacity > 0));
    Some(raster)
}

/// Parts colour from opacity.
fn split(buffer: &[u8], width: u32, height: u32, samples: usize) -> Raster {
    let mut rgb = Vec::with_capacity(buffer.len() / samples * 3);
    let mut alpha = Vec::new();
    for pixel in buffer.chunks_exact(samples) {
        match *pixel {
            [grey] => rgb.extend_from_slice(&[grey; 3]),
            [grey, opacity] => {
                rgb.extend_from_slice(&[grey; 3]);
                alpha.push(opacity);
            }
            [red, green, blue] => rgb.extend_from_slice(&[red, green, blue]),
            [red, green, blue, opacity] => {
                rgb.extend_from_slice(&[red, green, blue]);
                alpha.push(opacity);
            }
            _ => {}
        }
    }
    let is_opaque = alpha.iter().all(|opacity| *opacity == 255);
    let alpha = if is_opaque { None } else { Some(alpha) };
    Raster { width, height, pixels: Pixels::Rgb(rgb), alpha, turn: Turn::Upright }
}

/// Averages boxes of pixels until no side is too long.
fn shrunk(raster: Raster) -> Raster {
    let factor = raster.width.max(raster.height).div_ceil(LARGEST_SIDE);
    let Pixels::Rgb(rgb) = &raster.pixels else { return raster };
    if factor <= 1 {
        return raster;
    }
    let (width, height) = (raster.width.div_ceil(factor), raster.height.div_ceil(factor));
    let size = (raster.width, raster.height);
    let alpha = raster.alpha.as_deref().map(|alpha| averaged(alpha, size, factor, 1));
    let pixels = Pixels::Rgb(averaged(rgb, size, factor, 3));
    Raster { width, height, pixels, alpha, turn: raster.turn }
}

fn averaged(values: &[u8], (width, height): (u32, u32), factor: u32, samples: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let columns = width.div_ceil(factor);
    let mut sums = vec![0_u32; (columns * samples) as usize];
    let mut counts = vec![0_u32; columns as usize];
    let rows = values.chunks_exact((width * samples) as usize);
    for (y, row) in (1_u32..).zip(rows) {
        for (x, pixel) in (0_u32..).zip(row.chunks_exact(samples as usize)) {
            let column = (x / factor) as usize;
            counts[column] += 1;
            for (sample, value) in pixel.iter().enumerate() {
                sums[column * samples as usize + sample] += u32::from(*value);
            }
        }
        if y.is_multiple_of(factor) || y == height {
            for (index, sum) in sums.iter_mut().enumerate() {
                let count = counts[index / samples as usize].max(1);
                out.push(u8::try_from((*sum + count / 2) / count).unwrap_or(255));
                *sum = 0;
            }
            counts.fill(0);
        }
    }
    out
}

#[cfg(test)]
pub(super) mod tests;
