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
    assert!(averaged(&[0, 255, 10, 20], (4, 1), 2, 1) == [128, 15]);
}
