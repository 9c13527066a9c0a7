//! What programs that read to people find in a file, and what archives ask of it.

use lopdf::content::Content as Commands;
use lopdf::{Dictionary, Document, Object, ObjectId};

use super::super::image::tests::png_file;
use super::*;

/// A stretch of a page.
type Stretch = (ObjectId, i64);

/// The tree as it is found from its root.
struct Found<'d> {
    document: &'d Document,
    /// Every element with its depth, in reading order.
    elements: Vec<(ObjectId, String)>,
    stretches: Vec<(Stretch, ObjectId)>,
    annotations: Vec<(ObjectId, ObjectId)>,
}

fn dictionary(document: &Document, id: ObjectId) -> &Dictionary {
    document.get_dictionary(id).unwrap()
}

fn name(dictionary: &Dictionary, key: &[u8]) -> String {
    String::from_utf8(dictionary.get(key).unwrap().as_name().unwrap().to_vec()).unwrap()
}

impl Found<'_> {
    fn element(&mut self, id: ObjectId, parent: ObjectId) {
        let element = dictionary(self.document, id).clone();
        assert_eq!(element.get(b"P").unwrap().as_reference().unwrap(), parent);
        self.elements.push((id, name(&element, b"S")));
        let page = element.get(b"Pg").and_then(Object::as_reference).ok();
        for kid in element.get(b"K").unwrap().as_array().unwrap() {
            match kid {
                Object::Reference(inner) => self.element(*inner, id),
                Object::Integer(number) => self.stretches.push(((page.unwrap(), *number), id)),
                Object::Dictionary(kid) => {
                    let page = kid.get(b"Pg").unwrap().as_reference().unwrap();
                    if name(kid, b"Type") == "MCR" {
                        let number = kid.get(b"MCID").unwrap().as_i64().unwrap();
                        self.stretches.push(((page, number), id));
                    } else {
                        let link = kid.get(b"Obj").unwrap().as_reference().unwrap();
                        self.annotations.push((link, id));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The numbers of a page's stretches in the order of its commands. Fails if anything is drawn that is
/// neither of an element nor an artifact.
fn numbers(document: &Document, page: ObjectId) -> Vec<i64> {
    let commands = Commands::decode(&document.get_page_content(page)).unwrap();
    let (mut open, mut numbers) = (Vec::new(), Vec::new());
    let mut is_text = false;
    for command in commands.operations {
        match command.operator.as_str() {
            "BDC" | "BMC" => {
                let kind =
                    String::from_utf8_lossy(command.operands[0].as_name().unwrap()).into_owned();
                let is_inner = kind == "Span";
                assert_eq!(open.is_empty(), !is_inner, "{kind} in {open:?}");
                let number =
                    command.operands.get(1).and_then(|it| it.as_dict().ok()?.get(b"MCID").ok());
                numbers.extend(number.map(|number| number.as_i64().unwrap()));
                open.push((kind, is_text));
            }
            "EMC" => {
                let (_kind, was_text) = open.pop().unwrap();
                assert_eq!(is_text, was_text, "stretches and texts overlap");
            }
            "BT" => is_text = true,
            "ET" => is_text = false,
            "TJ" | "Do" | "f" => assert!(!open.is_empty(), "{}", command.operator),
            _ => {}
        }
    }
    assert!(open.is_empty() && !is_text);
    numbers
}

/// Fails unless every stretch is told once, in the order in which it is seen, and is found both ways.
fn check(file: &[u8]) -> Vec<String> {
    let document = open(file);
    let catalog = document.catalog().unwrap();
    let root = catalog.get(b"StructTreeRoot").unwrap().as_reference().unwrap();
    let top = dictionary(&document, root);
    let mut found = Found {
        document: &document,
        elements: Vec::new(),
        stretches: Vec::new(),
        annotations: Vec::new(),
    };
    found.element(top.get(b"K").unwrap().as_reference().unwrap(), root);
    let pages: Vec<ObjectId> = document.get_pages().into_values().collect();
    let place = |(page, number): Stretch| (pages.iter().position(|id| *id == page), number);
    let seen: Vec<Stretch> = pages
        .iter()
        .flat_map(|page| numbers(&document, *page).into_iter().map(|number| (*page, number)))
        .collect();
    let mut told: Vec<_> = found.stretches.iter().map(|(stretch, _)| place(*stretch)).collect();
    let mut firsts: HashMap<ObjectId, usize> = HashMap::new();
    let order: Vec<_> = found
        .stretches
        .iter()
        .zip(&told)
        .filter(|((_, id), _)| firsts.insert(*id, 0).is_none())
        .map(|(_, place)| *place)
        .collect();
    assert!(order.is_sorted(), "elements are read as they are seen: {order:?}");
    told.sort_unstable();
    assert_eq!(told, seen.into_iter().map(place).collect::<Vec<_>>());
    let ways = ways_back(&document, top);
    for (stretch, element) in &found.stretches {
        let (page, number) = *stretch;
        let key = dictionary(&document, page).get(b"StructParents").unwrap().as_i64().unwrap();
        let Object::Array(elements) = ways[&key].clone() else { panic!("{key}") };
        let back = elements[usize::try_from(number).unwrap()].as_reference().unwrap();
        assert_eq!(back, *element);
    }
    let links: usize =
        pages.iter().map(|page| document.get_page_annotations(*page).unwrap().len()).sum();
    assert_eq!(found.annotations.len(), links);
    for (link, element) in &found.annotations {
        let key = dictionary(&document, *link).get(b"StructParent").unwrap().as_i64().unwrap();
        assert!(
            ["Link", "Reference"].contains(&name(dictionary(&document, *element), b"S").as_str())
        );
        assert_eq!(ways[&key], Object::Dictionary(dictionary(&document, *element).clone()));
    }
    found.elements.into_iter().map(|(_, name)| name).collect()
}

/// The parent tree, its references followed.
fn ways_back(document: &Document, root: &Dictionary) -> HashMap<i64, Object> {
    let tree = dictionary(document, root.get(b"ParentTree").unwrap().as_reference().unwrap());
    let mut ways = HashMap::new();
    for leaf in tree.get(b"Kids").unwrap().as_array().unwrap() {
        let leaf = dictionary(document, leaf.as_reference().unwrap());
        let limits = leaf.get(b"Limits").unwrap().as_array().unwrap();
        let limits: Vec<i64> = limits.iter().map(|limit| limit.as_i64().unwrap()).collect();
        for pair in leaf.get(b"Nums").unwrap().as_array().unwrap().chunks(2) {
            let key = pair[0].as_i64().unwrap();
            assert!((limits[0]..=limits[1]).contains(&key));
            let value = document.get_object(pair[1].as_reference().unwrap()).unwrap();
            assert!(ways.insert(key, value.clone()).is_none(), "{key}");
        }
    }
    let next = root.get(b"ParentTreeNextKey").unwrap().as_i64().unwrap();
    assert_eq!((0..next).filter(|key| ways.contains_key(key)).count(), ways.len());
    ways
}

/// Messages of all kinds, over many pages and days.
fn entries(scene: &mut Scene) -> Vec<Entry> {
    let body = "<h2>Plan</h2><p>see <a href=\"https://x.example/login\">the <b>first</b> page</a> now</p>\
        <ul><li>one</li><li>two<ol><li>deep</li></ol></li></ul><blockquote>quoted</blockquote>\
        <table><tr><th>Item</th><th>Price</th></tr><tr><td>a text that takes more lines than one in its \
        column of the table, and more, and even more than that</td><td></td></tr></table>\
        <codeblock><code>let x = 1;<br>  y()</code></codeblock><p><img alt=\"a chart\" src=\
        \"https://graph.microsoft.com/v1.0/chats/c/messages/1/hostedContents/h1/$value\"></p>";
    let mut rich = html(0, body);
    let png = png_file(40, 30, png::ColorType::Rgba);
    rich.attached = vec![stored(&mut scene.store, "hosted:h1", None, png)];
    let long = "\u{13080} and a line that goes on\n".repeat(120);
    let mut all = vec![rich, text(1, &long), text(2, "שלום עולם hello"), html(3, "👍🏽 <b>x</b>")];
    let days =
        (0..200).map(|at| text(100 + at * 3_000, &format!("message {at}, {}", "w ".repeat(90))));
    all.extend(days);
    all
}

#[test]
fn everything_on_a_page_is_told_once_in_the_order_in_which_it_is_seen() {
    let mut scene = Scene::new();
    let entries = entries(&mut scene);
    let roles = check(&scene.file(entries.clone()));
    for role in [
        "Document",
        "Sect",
        "Art",
        "H1",
        "H2",
        "H3",
        "H4",
        "P",
        "BlockQuote",
        "L",
        "LI",
        "Lbl",
        "LBody",
        "Table",
        "TR",
        "TH",
        "TD",
        "Figure",
        "Link",
    ] {
        assert!(roles.iter().any(|found| found == role), "{role}");
    }
    scene.limits.pages_per_file = 4;
    let (pieces, _summary) = scene.make(entries);
    assert!(pieces.len() > 3);
    for piece in &pieces {
        drop(check(&bytes(piece)));
    }
    drop(check(&Scene::new().file(Vec::new())));
}

#[test]
fn a_picture_tells_what_it_shows() {
    let mut scene = Scene::new();
    let entries = entries(&mut scene);
    let document = open(&scene.file(entries));
    let alts: Vec<&Object> = document
        .objects
        .values()
        .filter_map(|object| object.as_dict().ok()?.get(b"Alt").ok())
        .collect();
    let wanted: Vec<u8> = "\u{FEFF}a chart"
        .encode_utf16()
        .flat_map(|unit| [(unit >> 8) as u8, (unit & 0xFF) as u8])
        .collect();
    assert_eq!(alts.len(), 1);
    assert_eq!(alts[0].as_str().unwrap(), wanted);
}

/// The rules of PDF/A-2b that a file of these can break.
#[test]
fn a_file_keeps_the_rules_of_archives() {
    let mut scene = Scene::new();
    let entries = entries(&mut scene);
    let file = scene.file(entries);
    let document = open(&file);
    let catalog = document.catalog().unwrap();
    let intents = catalog.get(b"OutputIntents").unwrap().as_array().unwrap();
    let intent = intents[0].as_dict().unwrap();
    assert_eq!(name(intent, b"S"), "GTS_PDFA1");
    let profile = intent.get(b"DestOutputProfile").unwrap().as_reference().unwrap();
    let profile = document.get_object(profile).unwrap().as_stream().unwrap();
    assert_eq!(profile.decompressed_content().unwrap(), archival::srgb());
    let metadata = catalog.get(b"Metadata").unwrap().as_reference().unwrap();
    let metadata = document.get_object(metadata).unwrap().as_stream().unwrap();
    assert!(metadata.dict.get(b"Filter").is_err());
    let words = String::from_utf8_lossy(&metadata.content);
    assert!(
        words.contains("<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>")
    );
    assert!(document.trailer.get(b"ID").is_ok() && document.trailer.get(b"Encrypt").is_err());
    for object in document.objects.values() {
        let dictionary =
            object.as_dict().or_else(|_| object.as_stream().map(|stream| &stream.dict));
        let Ok(dictionary) = dictionary else { continue };
        assert!(dictionary.get(b"Interpolate").is_err() && dictionary.get(b"JS").is_err());
        let space = dictionary.get(b"ColorSpace").and_then(Object::as_name);
        assert!(space.is_err() || space.is_ok_and(|name| name != b"DeviceCMYK"));
        if dictionary
            .get(b"Subtype")
            .is_ok_and(|kind| kind.as_name().is_ok_and(|kind| kind == b"Link"))
        {
            assert_eq!(dictionary.get(b"F").unwrap().as_i64().unwrap(), 4, "it is printed");
        }
        if dictionary
            .get(b"Type")
            .is_ok_and(|kind| kind.as_name().is_ok_and(|kind| kind == b"Font"))
        {
            check_font(&document, dictionary);
        }
    }
    for (_, page) in document.get_pages() {
        assert_shows_glyphs(&document, page);
    }
}

/// A font is embedded, and is said to be as wide as it is.
fn check_font(document: &Document, font: &Dictionary) {
    if name(font, b"Subtype") == "Type0" {
        return;
    }
    let descriptor = font.get(b"FontDescriptor").unwrap().as_reference().unwrap();
    let descriptor = dictionary(document, descriptor);
    assert!(descriptor.get(b"FontFile2").is_ok() || descriptor.get(b"FontFile3").is_ok());
    let Ok(program) = descriptor.get(b"FontFile2").and_then(Object::as_reference) else { return };
    let program = document.get_object(program).unwrap().as_stream().unwrap();
    let program = program.decompressed_content().unwrap();
    let program = harfrust::font::Font::new(harfrust::font::Blob::from(program), 0).unwrap();
    let map = match font.get(b"CIDToGIDMap").unwrap() {
        Object::Reference(map) => {
            let map = document.get_object(*map).unwrap().as_stream().unwrap();
            let map = map.decompressed_content().unwrap();
            Some(
                map.chunks(2)
                    .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
                    .collect::<Vec<_>>(),
            )
        }
        _ => None,
    };
    let widths = font.get(b"W").unwrap().as_array().unwrap()[1].as_array().unwrap();
    for (number, width) in (0_u32..).zip(widths) {
        let glyph = map.as_ref().map_or(number, |map| map[number as usize]);
        let units = program.glyph_metrics().h_advance(harfrust::GlyphId::new(glyph));
        let is = units * 1000.0 / f32::from(program.units_per_em());
        let said = width.as_float().unwrap();
        assert!(
            (is - said).abs() <= 1.0,
            "{number}: {is} and {said} of {}",
            name(font, b"BaseFont")
        );
    }
}

/// The glyph 0 shows that something is missing; no page may show it.
fn assert_shows_glyphs(document: &Document, page: ObjectId) {
    let commands = Commands::decode(&document.get_page_content(page)).unwrap();
    for command in commands.operations.iter().filter(|command| command.operator == "TJ") {
        for shown in command.operands[0].as_array().unwrap() {
            let Ok(shown) = shown.as_str() else { continue };
            assert!(shown.chunks(2).all(|pair| pair != [0, 0]));
        }
    }
}
