//! Files as they come, whole and broken, against a sink that writes down what it gets.

mod broken;

use std::collections::HashSet;

use super::*;

/// What a sink was given, each with its offset.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    offered: Vec<(u64, String)>,
    quarantined: Vec<(u64, String)>,
    /// Documents counted by a proven guess.
    proven: Vec<String>,
}

/// Knows a document once it was offered, as the engine does.
#[derive(Default)]
struct Notes {
    taken: Taken,
    known: HashSet<Vec<u8>>,
    stop_after: Option<usize>,
    steps: usize,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Sink for Notes {
    fn offer(&mut self, json: &[u8], offset: u64) {
        let _new = self.known.insert(json.to_vec());
        self.taken.offered.push((offset, text(json)));
    }

    fn offer_if_known(&mut self, candidate: &[u8]) -> bool {
        let known = self.known.contains(candidate);
        if known {
            self.taken.proven.push(text(candidate));
        }
        known
    }

    fn quarantine(&mut self, bytes: &[u8], _reason: &str, offset: u64) {
        self.taken.quarantined.push((offset, text(bytes)));
    }

    fn keep_going(&mut self) -> bool {
        self.steps += 1;
        self.stop_after.is_none_or(|after| self.steps < after)
    }
}

impl Notes {
    fn knowing(documents: &[String]) -> Self {
        let known = documents.iter().map(|document| document.clone().into_bytes()).collect();
        Self { known, ..Self::default() }
    }

    fn read(&mut self, input: &[u8]) -> Remarks {
        self.read_with(input, &mut Cutter::new())
    }

    fn read_with(&mut self, input: &[u8], cutter: &mut Cutter) -> Remarks {
        let mut window = ByteWindow::open(Box::new(input), Vec::new());
        split(&mut window, cutter, self, &mut |_, _| ControlFlow::Continue(false))
    }

    fn documents(&self) -> Vec<&str> {
        self.taken.offered.iter().map(|(_, document)| document.as_str()).collect()
    }
}

/// Messages of the shapes that make guessing hard: nested items, braces and quotes in text.
fn messages() -> Vec<String> {
    [
        r#""body":{"content":"plain"}"#,
        r#""body":{"content":"}],{\"id\":\"9\",\"etag\":\"9\"}"}"#,
        r#""attachments":[{"id":"f1","name":"a"},{"id":"f2","name":"b"}],"body":null"#,
        r#""hosted":[{"id":"r1","kind":"1"},{"id":"r2","kind":"2"}]"#,
        r#""body":{"content":"back\\slash\\"},"mentions":[]"#,
        r#""body":{"content":"สมชาย 😀"}"#,
    ]
    .iter()
    .enumerate()
    .map(|(id, rest)| format!(r#"{{"id":"{id}","etag":"{id}",{rest}}}"#))
    .collect()
}

fn page(items: &[String]) -> String {
    let count = items.len();
    let items = items.join(",");
    format!(
        r#"{{"@odata.context":"c","@odata.count":{count},"@odata.nextLink":"n","value":[{items}]}}"#
    )
}

/// Reads `input` and expects `documents` and nothing else.
fn check(input: &str, documents: &[String]) {
    let mut notes = Notes::default();
    let remarks = notes.read(input.as_bytes());
    assert_eq!(notes.documents(), documents, "{input}");
    assert_eq!((notes.taken.quarantined, remarks), (Vec::new(), Remarks::default()), "{input}");
    for (offset, document) in notes.taken.offered {
        assert!(input[usize::try_from(offset).unwrap()..].starts_with(&document), "{offset}");
    }
}

#[test]
fn every_form_gives_the_same_documents() {
    let messages = messages();
    let joined = messages.join(",");
    let forms = [
        page(&messages),
        format!("\u{feff}{}", page(&messages)),
        format!(r#"{{"value":[{joined}],"@odata.count":"6","@odata.nextLink":"n]}}"}}"#),
        format!(" {{ \"@a\" : [ {{ }} ] ,\r\n\t\"value\" : [ {joined} ] }} \n"),
        format!("{{\"value\": [\n{}\n]\n}}", messages.join(" ,\n    ")),
        format!("[{joined}]"),
        format!("[\n  {}\n]", messages.join(",\n  ")),
        messages.join("\n"),
        messages.join("\r\n") + "\r\n",
        format!("\u{feff}\n\n{}\n\n", messages.join("\n\n \t\n")),
        messages.concat(),
        messages.iter().map(|message| message.replacen(',', ",\n  ", 0)).collect::<String>(),
        format!("{}\n{}", page(&messages[..2]), page(&messages[2..])),
        format!("[{}][{}]", messages[..2].join(","), messages[2..].join(",")),
    ];
    for form in forms {
        check(&form, &messages);
    }
}

#[test]
fn files_of_several_shapes_one_behind_the_other_come_in_whole() {
    let messages = messages();
    let lines = messages[..2].join("\n");
    let pretty = |message: &String| message.replacen(',', ",\n  ", 1).replacen('{', "{\n  ", 1);
    let (page, pretties) = (page(&messages[2..4]), [pretty(&messages[4]), pretty(&messages[5])]);
    let mut all = messages[..4].to_vec();
    all.extend(pretties.clone());
    for seam in ["\n", "\r\n", "\n\n"] {
        let parts = [&lines, &page, &pretties[0], &pretties[1]];
        check(&parts.map(String::as_str).join(seam), &all);
        let parts = [&pretties[0], &page, &lines, &pretties[1]];
        let order: Vec<String> = [&all[4..5], &all[2..4], &all[..2], &all[5..]].concat();
        check(&parts.map(String::as_str).join(seam), &order);
    }
    let two_a_line = format!("{} {}\n{}{}", all[0], all[1], all[2], all[3]);
    check(&two_a_line, &all[..4]);
    check(&messages.join(",\n"), &messages);
    check(&(messages.join(",\n") + ",\n"), &messages);
}

#[test]
fn pages_and_arrays_in_arrays_are_read() {
    let messages = messages();
    let (first, second) = (page(&messages[..3]), page(&messages[3..]));
    let joined = |items: &[String]| items.join(",");
    for form in [
        format!("[{first},{second}]"),
        format!("[{first}]\n[{second}]"),
        format!("[[{first}],[[{second}]]]"),
        format!("[[{}],[],[{}]]", joined(&messages[..2]), joined(&messages[2..])),
    ] {
        check(&form, &messages);
    }
    // A bracket too many: everything comes in, and that something is odd is told.
    for form in [
        format!("[{},[{}]", joined(&messages[..2]), joined(&messages[2..])),
        format!("{{\"value\":[{},[{}],\"a\":1}}", joined(&messages[..2]), joined(&messages[2..])),
    ] {
        let mut notes = Notes::default();
        let remarks = notes.read(form.as_bytes());
        assert_eq!(notes.documents(), messages, "{form}");
        assert!(remarks != Remarks::default(), "{form}");
    }
    let deep = "[".repeat(10_000) + &messages[0];
    let mut notes = Notes::default();
    assert!(notes.read(deep.as_bytes()) != Remarks::default());
    assert!(!notes.taken.offered.is_empty() || !notes.taken.quarantined.is_empty());
}

#[test]
fn the_bodies_of_a_batch_answer_are_read() {
    let messages = messages();
    let (first, second) = (page(&messages[..3]), page(&messages[3..5]));
    let input = format!(
        r#"{{"@odata.context":"c","responses":[
            {{"id":"1","status":200,"headers":{{"a":"b"}},"body":{first}}},
            {{"status":200,"body":{second},"id":"2"}},
            {{"id":"3","status":200,"body":{}}}]}}"#,
        messages[5]
    );
    check(&input, &messages);
    let refused = input.replace(&second, r#"{"error":{"code":"Forbidden","message":"no"}}"#);
    let mut notes = Notes::default();
    let remarks = notes.read(refused.as_bytes());
    assert_eq!(notes.documents(), [&messages[..3], &messages[5..]].concat());
    assert!(remarks.failure.unwrap().contains("Forbidden: no"));
    let empty = r#"{"responses":[{"id":"1","status":204}]}"#;
    let mut notes = Notes::default();
    drop(notes.read(empty.as_bytes()));
    assert_eq!(notes.taken.quarantined[0].1, r#"{"id":"1","status":204}"#);
}

#[test]
fn members_of_a_page_that_mean_nothing_are_quarantined_wherever_they_stand() {
    let message = r#"{"id":"1","etag":"1"}"#;
    let strangers = [r#""id":"c""#, r#""note":{"keep":["me"]}"#];
    for input in [
        format!("{{{},{},\"@odata.count\":1,\"value\":[{message}]}}", strangers[0], strangers[1]),
        format!("{{\"value\":[{message}],{},{}}}", strangers[0], strangers[1]),
    ] {
        let mut notes = Notes::default();
        assert_eq!(notes.read(input.as_bytes()), Remarks::default());
        assert_eq!(notes.documents(), [message], "{input}");
        let aside = notes.taken.quarantined.iter().map(|(_, bytes)| bytes.as_str());
        assert_eq!(aside.collect::<Vec<_>>(), strangers, "{input}");
    }
}

#[test]
fn replies_that_came_with_their_post_are_messages_too() {
    let replies =
        [r#"{"id":"2","etag":"2","replyToId":"1"}"#, r#"{"id":"3","etag":"3","replyToId":"1"}"#];
    let post =
        |more: &str| format!(r#"{{"id":"1","etag":"1","replies":[{}]{more}}}"#, replies.join(","));
    let (whole, plain) = (post(""), r#"{"id":"4","etag":"4"}"#);
    for form in [
        format!("[{whole},{plain}]"),
        format!("{whole}\n{plain}\n"),
        format!("{{\"value\":[{whole},{plain}]}}"),
    ] {
        check(&form, &[&whole, replies[0], replies[1], plain].map(str::to_owned));
        // A post that is known was fetched by somebody else: the replies count for them.
        let mut notes = Notes::knowing(std::slice::from_ref(&whole));
        drop(notes.read(form.as_bytes()));
        assert!(notes.documents().ends_with(&[replies[0], replies[1], plain]), "{form}");
    }
    for form in [
        format!("[{}]", post(r#","replies@odata.nextLink":"n""#)),
        post(r#","replies@odata.nextLink":"n""#),
    ] {
        let remarks = Notes::default().read(form.as_bytes());
        assert!(remarks.missing.unwrap().contains("more replies"), "{form}");
        assert_eq!(remarks.failure, None, "{form} came in whole");
    }
}

#[test]
fn one_message_is_taken_whole_however_it_is_written() {
    for message in [
        r#"{"id":"1","etag":"1"}"#,
        "{\n  \"id\": \"1\",\n  \"etag\": \"1\"\n}",
        "{\n\"mentions\": [\n{\n\"id\": \"0\",\n\"etag\":1}\n]\n}",
        r#"{"id":"1","error":{"code":"a message may say so"}}"#,
        r#"{"id":"1","value":"no page"}"#,
        "{}",
    ] {
        check(message, &[message.to_owned()]);
    }
}

#[test]
fn an_empty_page_is_fine_and_an_empty_file_is_remarked() {
    for page in [r#"{"value":[]}"#, "[]", " [ ] ", r#"{"@odata.count":0,"value":[]}"#] {
        check(page, &[]);
    }
    for empty in ["", " \r\n", "\u{feff}"] {
        assert_eq!(Notes::default().read(empty.as_bytes()).warning.as_deref(), Some("is empty"));
    }
}

#[test]
fn known_items_are_proven_and_only_whole_items_count() {
    let mut messages = messages();
    let mut notes = Notes::knowing(&messages);
    let remarks = notes.read(page(&messages).as_bytes());
    assert_eq!(remarks, Remarks::default());
    // The first shows how items open, the last has no next one behind it, and nested items
    // mislead the guess in two.
    let last = messages.pop().unwrap();
    let scanned = [messages.remove(0), messages.remove(1), messages.remove(1), last];
    assert_eq!(notes.taken.proven, messages);
    assert_eq!(notes.documents(), scanned.each_ref().map(String::as_str));
}

#[test]
fn a_known_part_of_an_item_is_never_taken_for_it() {
    // Everything that a wrong guess may cut off is "known"; the items are not.
    let messages = messages();
    let mut notes = Notes::knowing(&[r#"{"id":"f1","name":"a"}"#.to_owned()]);
    let remarks = notes.read(page(&messages).as_bytes());
    assert_eq!(
        (notes.documents(), remarks),
        (messages.iter().map(String::as_str).collect(), Remarks::default())
    );
    assert_eq!(notes.taken.proven, Vec::<String>::new());
}

#[test]
fn the_count_of_a_page_has_to_agree() {
    let message = r#"{"id":"1","etag":"1"}"#;
    for (count, odd) in
        [("1", false), ("\"1\"", false), ("2", true), ("\"0\"", true), ("-1", false)]
    {
        let before = format!(r#"{{"@odata.count":{count},"value":[{message}]}}"#);
        let after = format!(r#"{{"value":[{message}],"@odata.count":{count}}}"#);
        for input in [before, after] {
            let remarks = Notes::default().read(input.as_bytes());
            let told = (remarks.warning.is_some(), remarks.missing.is_some());
            let lacks = odd && count == "2";
            assert_eq!(told, (odd && !lacks, lacks), "{input}");
            assert_eq!(remarks.failure, None, "{input}");
        }
    }
}

#[test]
fn an_item_that_is_no_object_is_quarantined_and_counted() {
    let input = r#"{"@odata.count":6,"value":[1,"a",null,{"id":"1"},[{"id":"2"}],true]}"#;
    let mut notes = Notes::default();
    assert_eq!(notes.read(input.as_bytes()), Remarks::default());
    assert_eq!(notes.documents(), [r#"{"id":"1"}"#]);
    let quarantined: Vec<_> =
        notes.taken.quarantined.iter().map(|(_, bytes)| bytes.as_str()).collect();
    assert_eq!(quarantined, ["1", r#""a""#, "null", r#"[{"id":"2"}]"#, "true"]);
}

#[test]
fn an_answer_that_is_an_error_is_a_failure_in_its_own_words() {
    let input =
        r#"{"error":{"code":"Forbidden","message":"Missing role\n permissions.","innerError":{}}}"#;
    let mut notes = Notes::default();
    let failure = notes.read(input.as_bytes()).failure.unwrap();
    assert!(
        failure.contains(r"(Forbidden: Missing role\n permissions.): fetch it again"),
        "{failure}"
    );
    assert_eq!(notes.taken, Taken::default());
}

#[test]
fn a_file_that_is_no_json_is_a_failure() {
    for input in ["hello", "<html>{}</html>", "PK\u{3}\u{4}", "}{", "\"text\"", "12"] {
        let mut notes = Notes::default();
        assert!(notes.read(input.as_bytes()).failure.is_some(), "{input}");
        assert_eq!(notes.taken, Taken::default());
    }
}

/// Breaks `good` documents apart with `bad` in front of the last two, in a page or a file of lines.
#[test]
fn good_items_around_a_broken_one_come_in() {
    let typed = |id: u32, rest: &str| {
        format!(
            r##"{{"@odata.type":"#microsoft.graph.chatMessage","id":"{id}","etag":"{id}"{rest}}}"##
        )
    };
    let plain = |id: u32, rest: &str| format!(r#"{{"id":"{id}","etag":"{id}"{rest}}}"#);
    let breaks = [
        // A quote is lost, a quote too many, a brace is lost, one too many, bytes are lost.
        r#","body":{"content":"x}"#,
        r#","body":{"content":"x""}"#,
        r#","body":{"content":"x""#,
        r#","body":{"content":"x"}}"#,
        r#","mentions":[{"id":"0"}"#,
        r#","body":{"con"#,
        "\0\0\0\0\0\0\0",
        r#","a":"\"#,
    ];
    for rest in breaks {
        for make in [&typed as &dyn Fn(u32, &str) -> String, &plain] {
            let items = [make(1, ""), make(2, ""), make(3, rest), make(4, ""), make(5, "")];
            let input = page(&items);
            let mut notes = Notes::default();
            let remarks = notes.read(input.as_bytes());
            for good in [0, 1, 3, 4] {
                assert!(notes.documents().contains(&items[good].as_str()), "{good} of {input}");
            }
            assert_nothing_is_lost(&input, &notes);
            let told = remarks.warning.is_some() || remarks.failure.is_some();
            assert!(told || notes.documents().len() == 5, "{input}");
        }
    }
}

/// Every byte that is not frame was offered or quarantined, in its place and once.
fn assert_nothing_is_lost(input: &str, notes: &Notes) {
    let mut all: Vec<_> = notes.taken.offered.iter().chain(&notes.taken.quarantined).collect();
    all.sort();
    let is_frame = |frame: &str| {
        frame.starts_with("{\"@odata")
            || frame.chars().all(|character| " \n,]}".contains(character))
    };
    let mut end = 0;
    for (offset, bytes) in all {
        let start = usize::try_from(*offset).unwrap();
        assert!(is_frame(&input[end..start]), "{} was lost from {input}", &input[end..start]);
        assert!(input[start..].starts_with(bytes.as_str()), "{bytes} is not at {start}");
        end = start + bytes.len();
    }
    assert!(is_frame(&input[end..]), "{} was lost", &input[end..]);
}

#[test]
fn a_page_cut_short_anywhere_gives_its_whole_items() {
    let messages = messages();
    let input = page(&messages);
    let body = input.find('[').unwrap() + 1;
    for cut in body..input.len() - 2 {
        let Some(piece) = input.get(..cut) else { continue };
        let mut notes = Notes::default();
        let remarks = notes.read(piece.as_bytes());
        let whole = messages.iter().take_while(|message| piece.contains(message.as_str())).count();
        let documents = notes.documents();
        assert_eq!(documents.get(..whole).unwrap(), messages.get(..whole).unwrap(), "{cut}");
        assert!(remarks.failure.is_some(), "{cut}: {remarks:?}");
        assert_nothing_is_lost(piece, &notes);
    }
}

#[test]
fn a_page_whose_start_is_lost_gives_its_whole_items() {
    let messages = messages();
    let input = page(&messages);
    let first = input.find(&messages[0]).unwrap() + 3;
    let mut notes = Notes::default();
    let remarks = notes.read(&input.as_bytes()[first..]);
    assert_eq!(notes.documents(), &messages[1..]);
    assert_eq!(notes.taken.quarantined.len(), 1);
    assert!(remarks.warning.is_some() && remarks.failure.is_none());
}

#[test]
fn a_broken_line_harms_no_other() {
    let good = [r#"{"id":"1","etag":"1"}"#, r#"{"id":"2","etag":"2"}"#];
    for broken in [r#"{"id":"x","body":{"#, "garbage", r#"{"id":"x"}}"#, r#"{"id":"x""#] {
        for lines in [[broken, good[0], good[1]], [good[0], broken, good[1]]] {
            let mut notes = Notes::default();
            let _remarks = notes.read(lines.join("\n").as_bytes());
            let offered: HashSet<_> = notes.documents().into_iter().collect();
            assert!(good.iter().all(|line| offered.contains(line)), "{lines:?}");
        }
    }
}

#[test]
fn the_next_page_follows_a_broken_one() {
    let broken = r#"{"value":[{"id":"1","etag":"1"},{"id":"2","etag":"#;
    let input = format!("{broken}\n{}", page(&messages()));
    let mut notes = Notes::default();
    let remarks = notes.read(input.as_bytes());
    assert!(remarks.warning.is_some());
    for message in messages() {
        assert!(notes.documents().contains(&message.as_str()), "{message}");
    }
}

#[test]
fn pages_longer_than_the_window_are_streamed() {
    let text = "x".repeat(10_000);
    let make =
        |id: usize| format!(r#"{{"id":"{id}","etag":"{id}","body":{{"content":"{text}"}}}}"#);
    let messages: Vec<_> = (0..500).map(make).collect();
    let input = page(&messages);
    assert!(input.len() > 4 * crate::window::WINDOW_BYTES);
    check(&input, &messages);
    check(&messages.join("\n"), &messages);

    let mut known = Notes::knowing(&messages);
    assert_eq!(known.read(input.as_bytes()), Remarks::default());
    assert_eq!(known.taken.proven.len() + known.documents().len(), messages.len());
    assert!(known.documents().len() < 20, "{} were scanned", known.documents().len());
}

#[test]
fn an_item_beyond_the_limit_is_quarantined_in_pieces_and_the_next_comes_in() {
    let huge = format!(r#"{{"id":"1","body":"{}"}}"#, "x".repeat(crate::window::VALUE_BYTES));
    let next = r#"{"id":"2","etag":"2"}"#;
    let mut notes = Notes::default();
    let remarks = notes.read(format!("[{huge},{next}]").as_bytes());
    assert_eq!(notes.documents(), [next]);
    assert!(remarks.warning.unwrap().contains("overlong"));
    let quarantined: usize = notes.taken.quarantined.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(quarantined >= huge.len());
}

#[test]
fn a_line_beyond_the_limit_is_quarantined_in_pieces_and_the_next_comes_in() {
    let text = format!("{}\n{{\"id\":\"2\"}}", "x".repeat(2 * crate::window::VALUE_BYTES));
    let mut window = ByteWindow::open(Box::new(text.as_bytes()), Vec::new());
    let mut notes = Notes::default();
    assert_eq!(window.whole_lines(), 0);
    assert!(quarantine_overlong(&mut window, &mut notes));
    let quarantined: usize = notes.taken.quarantined.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(quarantined, 2 * crate::window::VALUE_BYTES + 1);
    assert_eq!(window.bytes(), b"{\"id\":\"2\"}");
}

#[test]
fn a_hostile_file_cannot_make_every_start_a_long_scan() {
    // Each of these opens and never closes: a scan from every one would take hours.
    let input = "[".to_owned() + &r#"{"id":"1","a":[{},"#.repeat(400_000);
    let mut notes = Notes::default();
    let remarks = notes.read(input.as_bytes());
    assert!(remarks.failure.is_some());
    let quarantined: usize = notes.taken.quarantined.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(quarantined + 16 > input.len());
}

#[test]
fn it_stops_where_the_sink_says_so() {
    for input in [page(&messages()), messages().join("\n"), messages().concat()] {
        let mut notes = Notes { stop_after: Some(2), ..Notes::default() };
        let remarks = notes.read(input.as_bytes());
        assert_eq!((notes.documents().len(), remarks), (2, Remarks::default()), "{input}");
    }
}

#[test]
fn what_was_learned_from_one_page_serves_the_next() {
    let messages = messages();
    let indented = format!("{{\"value\": [\n  {}\n]}}", messages.join(",\n  "));
    let mut cutter = Cutter::new();
    let mut notes = Notes::default();
    for input in [&indented, &page(&messages), &indented] {
        assert_eq!(notes.read_with(input.as_bytes(), &mut cutter), Remarks::default());
    }
    assert_eq!(notes.taken.offered.len() + notes.taken.proven.len(), 3 * messages.len());
    assert!(notes.taken.proven.len() >= 3, "{}", notes.taken.proven.len());
}
