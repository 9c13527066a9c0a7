//! Pictures that can be shown, and those that cannot.

use std::io;

use super::*;

struct One(Vec<u8>);

impl Objects for One {
    fn read(&self, _address: &ContentAddress) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.0.clone())))
    }
}

const ADDRESS: ContentAddress = ContentAddress([1; 32]);

pub(in super::super) fn png_file(width: u32, height: u32, colour: png::ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    let length = width as usize * height as usize * colour.samples();
    let data: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
    writer.write_image_data(&data).unwrap();
    writer.finish().unwrap();
    bytes
}

pub(in super::super) fn jpeg_file(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels: Vec<u8> = (0..usize::from(width) * usize::from(height) * 3)
        .map(|index| u8::try_from(index / 7 % 256).unwrap())
        .collect();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

/// With alpha, without loss.
fn webp_file(width: u32, height: u32) -> Vec<u8> {
    let length = width as usize * height as usize * 4;
    let data: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
    let mut bytes = Vec::new();
    let encoder = image_webp::WebPEncoder::new(&mut bytes);
    encoder.encode(&data, width, height, image_webp::ColorType::Rgba8).unwrap();
    bytes
}

/// Rows from the bottom, of so many bytes a pixel, padded to four bytes; all of one colour.
fn bmp_file(width: u32, height: u32, pixel: &[u8]) -> Vec<u8> {
    let row = (width as usize * pixel.len()).next_multiple_of(4);
    let size = u32::try_from(row * height as usize).unwrap();
    let mut bytes = b"BM".to_vec();
    for number in [54 + size, 0, 54, 40, width, height] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&[1, 0, u8::try_from(pixel.len() * 8).unwrap(), 0]);
    for number in [0, size, 2_835, 2_835, 0, 0] {
        bytes.extend_from_slice(&u32::to_le_bytes(number));
    }
    for _ in 0..height {
        let start = bytes.len();
        (0..width).for_each(|_| bytes.extend_from_slice(pixel));
        bytes.resize(start + row, 0);
    }
    bytes
}

/// A JPEG file with an orientation in its EXIF.
fn turned(mut jpeg: Vec<u8>, orientation: u8) -> Vec<u8> {
    let exif = [b"Exif\0\0", &turn::tests::exif(orientation, false)[..]].concat();
    let mut segment = vec![0xFF, 0xE1, 0, u8::try_from(exif.len() + 2).unwrap()];
    segment.extend(exif);
    drop(jpeg.splice(2..2, segment));
    jpeg
}

type Size = Option<(u32, u32)>;

fn sizes(bytes: Vec<u8>) -> (Size, Size) {
    let length = bytes.len() as u64;
    let objects = One(bytes);
    let raster = load(&objects, &ADDRESS).map(|raster| (raster.width, raster.height));
    (measure(&objects, &ADDRESS, length), raster)
}

#[test]
fn a_jpeg_goes_in_as_it_is() {
    let bytes = jpeg_file(64, 40);
    let raster = load(&One(bytes.clone()), &ADDRESS).unwrap();
    assert_eq!(raster.pixels, Pixels::Jpeg(bytes, 3));
    assert_eq!((raster.width, raster.height), (64, 40));
}

#[test]
fn a_picture_is_seen_as_the_camera_was_held() {
    for (orientation, wanted, turn) in
        [(1, (64, 40), Turn::Upright), (6, (40, 64), Turn::Right), (8, (40, 64), Turn::Left)]
    {
        let bytes = turned(jpeg_file(64, 40), orientation);
        let raster = load(&One(bytes.clone()), &ADDRESS).unwrap();
        // The bytes stay as they are, and so does what they say of themselves.
        assert_eq!((raster.width, raster.height, raster.turn), (64, 40, turn));
        assert_eq!(raster.pixels, Pixels::Jpeg(bytes.clone(), 3));
        assert_eq!(sizes(bytes).0, Some(wanted));
    }
    let large = load(&One(turned(jpeg_file(2_400, 300), 6)), &ADDRESS).unwrap();
    assert_eq!((large.width, large.height, large.turn), (1_200, 150, Turn::Right));
}

#[test]
fn colours_of_print_become_those_of_screens() {
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    let pixels = [0, 255, 255, 0].repeat(16 * 16);
    encoder.encode(&pixels, 16, 16, jpeg_encoder::ColorType::Cmyk).unwrap();
    let raster = load(&One(bytes), &ADDRESS).unwrap();
    let Pixels::Jpeg(bytes, 3) = raster.pixels else { panic!("{:?}", raster.pixels) };
    assert_eq!(jpeg_frame(&bytes).unwrap().components, 3);
}

#[test]
fn webp_and_bmp_are_shown() {
    assert_eq!(sizes(webp_file(7, 5)), (Some((7, 5)), Some((7, 5))));
    let raster = load(&One(webp_file(7, 5)), &ADDRESS).unwrap();
    assert_eq!(raster.alpha.map(|alpha| alpha[..3].to_vec()), Some(vec![3, 7, 11]));
    assert!(matches!(raster.pixels, Pixels::Rgb(rgb) if rgb[..6] == [0, 1, 2, 4, 5, 6]));
    // Blue, green, red; a fourth byte means nothing.
    for pixel in [&[10, 20, 30][..], &[10, 20, 30, 0]] {
        let file = bmp_file(5, 3, pixel);
        assert_eq!(sizes(file.clone()), (Some((5, 3)), Some((5, 3))));
        let raster = load(&One(file), &ADDRESS).unwrap();
        assert!(raster.alpha.is_none());
        assert!(matches!(raster.pixels, Pixels::Rgb(rgb) if rgb == [30, 20, 10].repeat(15)));
    }
}

#[test]
fn what_is_larger_than_the_limit_is_made_smaller() {
    assert_eq!(sizes(jpeg_file(2_400, 300)), (Some((2_400, 300)), Some((1_200, 150))));
    let wide = png_file(4_100, 10, png::ColorType::Rgb);
    assert_eq!(sizes(wide), (Some((4_100, 10)), Some((1_367, 4))));
}

#[test]
fn opacity_is_kept_apart() {
    let raster = load(&One(png_file(5, 3, png::ColorType::Rgba)), &ADDRESS).unwrap();
    assert_eq!(raster.alpha.map(|alpha| alpha.len()), Some(15));
    let raster = load(&One(png_file(5, 3, png::ColorType::Grayscale)), &ADDRESS).unwrap();
    assert!(raster.alpha.is_none());
    assert!(matches!(raster.pixels, Pixels::Rgb(rgb) if rgb.len() == 45));
}

#[test]
fn damaged_and_foreign_files_are_not_shown() {
    let jpeg = jpeg_file(64, 40);
    let png = png_file(9, 9, png::ColorType::Rgb);
    let (webp, bmp) = (webp_file(9, 9), bmp_file(9, 9, &[1, 2, 3]));
    for bytes in [&webp, &bmp] {
        for cut in 0..bytes.len() - 2 {
            assert_eq!(sizes(bytes[..cut].to_vec()).1, None, "{cut} bytes");
        }
    }
    let broken = [&b""[..], b"\xFF\xD8\xFF", &jpeg[..30], &png[..40], b"<svg/>", b"GIF89a"];
    for bytes in broken {
        assert_eq!(sizes(bytes.to_vec()).1, None, "{} bytes", bytes.len());
    }
}

#[test]
fn a_picture_that_claims_to_be_huge_costs_no_memory() {
    let mut png = png_file(9, 9, png::ColorType::Rgb);
    png[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
    assert_eq!(sizes(png), (None, None));
    let mut bmp = bmp_file(9, 9, &[1, 2, 3]);
    bmp[18..26].copy_from_slice(&[0, 0x30, 0, 0, 0, 0x30, 0, 0]);
    assert_eq!(sizes(bmp), (None, None));
    // Sixteen thousand by sixteen thousand is the most that a WebP file can say.
    let mut webp = webp_file(9, 9);
    webp[21..25].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0x0F]);
    assert_eq!(sizes(webp), (None, None));
    assert!(averaged(&[0, 255, 10, 20], (4, 1), 2, 1) == [128, 15]);
}
