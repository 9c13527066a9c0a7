//! What PDF/A-2b asks of a file besides fonts and tags: a description of itself, and what its colours mean.

use super::volume::About;

/// sRGB as a profile of ICC version 4.3: the primaries adapted to D50 and the exact curve.
///
/// Made here, since each byte is given by IEC 61966-2-1 and nothing of it is anybody's.
pub(super) fn srgb() -> Vec<u8> {
    let xyz = |values: [u32; 3]| tag_of(*b"XYZ ", &values);
    let curve = curve([0x0002_6666, 0x0000_F2A7, 0x0000_0D59, 0x0000_13D0, 0x0000_0A5B]);
    let adaptation = [
        0x0001_0C42,
        0x0000_05DE,
        0xFFFF_F325,
        0x0000_0793,
        0x0000_FD90,
        0xFFFF_FBA1,
        0xFFFF_FDA2,
        0x0000_03DC,
        0x0000_C06E,
    ];
    let tags: [([u8; 4], Vec<u8>); 10] = [
        (*b"desc", text("sRGB")),
        (*b"cprt", text("No copyright, use freely")),
        (*b"wtpt", xyz([0x0000_F6D6, 0x0001_0000, 0x0000_D32D])),
        (*b"chad", tag_of(*b"sf32", &adaptation)),
        (*b"rXYZ", xyz([0x0000_6FA2, 0x0000_38F5, 0x0000_0390])),
        (*b"gXYZ", xyz([0x0000_6299, 0x0000_B785, 0x0000_18DA])),
        (*b"bXYZ", xyz([0x0000_24A0, 0x0000_0F84, 0x0000_B6CF])),
        (*b"rTRC", curve.clone()),
        (*b"gTRC", curve.clone()),
        (*b"bTRC", curve),
    ];
    let mut table = sized(tags.len()).to_vec();
    let mut data = Vec::new();
    let start = HEADER_BYTES + 4 + tags.len() * 12;
    let mut before: Option<(Vec<u8>, usize)> = None;
    for (name, tag) in tags {
        // The three curves are one.
        let at = match &before {
            Some((same, at)) if *same == tag => *at,
            _ => {
                let at = start + data.len();
                data.extend_from_slice(&tag);
                at
            }
        };
        table.extend_from_slice(&name);
        table.extend_from_slice(&sized(at));
        table.extend_from_slice(&sized(tag.len()));
        before = Some((tag, at));
    }
    let mut profile = header(start + data.len());
    profile.extend(table);
    profile.extend(data);
    profile
}

const HEADER_BYTES: usize = 128;

/// The highest byte first, as all of a profile.
fn bytes(number: u32) -> [u8; 4] {
    [24, 16, 8, 0].map(|shift| (number >> shift & 0xFF) as u8)
}

fn sized(length: usize) -> [u8; 4] {
    bytes(u32::try_from(length).unwrap_or(u32::MAX))
}

fn header(size: usize) -> Vec<u8> {
    let mut header = sized(size).to_vec();
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&bytes(0x0430_0000));
    header.extend_from_slice(b"mntrRGB XYZ ");
    // A day of no meaning: 1 January 2000.
    header.extend_from_slice(&[7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    header.extend_from_slice(b"acsp");
    header.extend_from_slice(&[0; 28]);
    // The white of the space that profiles meet in, D50.
    for value in [0x0000_F6D6, 0x0001_0000, 0x0000_D32D] {
        header.extend_from_slice(&bytes(value));
    }
    header.resize(HEADER_BYTES, 0);
    header
}

/// A tag of 32-bit numbers.
fn tag_of(kind: [u8; 4], values: &[u32]) -> Vec<u8> {
    let mut tag = kind.to_vec();
    tag.extend_from_slice(&[0; 4]);
    tag.extend(values.iter().copied().flat_map(bytes));
    tag
}

/// A curve of ICC's third kind.
fn curve(parameters: [u32; 5]) -> Vec<u8> {
    let mut tag = b"para\0\0\0\0\0\x03\0\0".to_vec();
    tag.extend(parameters.iter().copied().flat_map(bytes));
    tag
}

/// A text in one language, of an even number of letters of ASCII.
fn text(words: &str) -> Vec<u8> {
    let mut tag = tag_of(*b"mluc", &[1, 12]);
    tag.extend_from_slice(b"enUS");
    tag.extend_from_slice(&sized(words.len() * 2));
    tag.extend_from_slice(&sized(28));
    tag.extend(words.bytes().flat_map(|letter| [0, letter]));
    tag
}

/// What a file says about itself, in the form that archives read.
pub(super) fn xmp(about: &About) -> String {
    let escape = |text: &str| {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    };
    let hash = super::entry::hex(&about.file_id);
    format!(
        "<?xpacket begin=\"\u{FEFF}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
         xmlns:pdf=\"http://ns.adobe.com/pdf/1.3/\" \
         xmlns:xmpMM=\"http://ns.adobe.com/xap/1.0/mm/\" \
         xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\">\
         <pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>\
         <dc:format>application/pdf</dc:format>\
         <dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></dc:title>\
         <dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt>\
         </dc:description><xmp:CreateDate>{at}</xmp:CreateDate><xmp:ModifyDate>{at}\
         </xmp:ModifyDate><pdf:Producer>{}</pdf:Producer>\
         <xmpMM:DocumentID>uuid:{hash}</xmpMM:DocumentID></rdf:Description></rdf:RDF>\
         </x:xmpmeta>\n<?xpacket end=\"r\"?>",
        escape(&about.title),
        escape(&about.subject),
        escape(&about.producer),
        at = about.instant
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_as_long_as_it_says_and_its_tags_lie_in_it() {
        let profile = srgb();
        let number = |at: usize| {
            profile[at..at + 4].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
        };
        assert_eq!((number(0), &profile[12..24]), (profile.len(), &b"mntrRGB XYZ "[..]));
        let mut names = Vec::new();
        for tag in 0..number(128) {
            let at = 132 + tag * 12;
            names.push(String::from_utf8(profile[at..at + 4].to_vec()).unwrap());
            let (start, length) = (number(at + 4), number(at + 8));
            assert!(start >= 252 && start % 4 == 0 && start + length <= profile.len(), "{names:?}");
        }
        let wanted = "desc cprt wtpt chad rXYZ gXYZ bXYZ rTRC gTRC bTRC";
        assert_eq!(names.join(" "), wanted);
    }
}
