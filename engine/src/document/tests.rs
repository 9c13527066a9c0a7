//! Documents held against another reader of JSON, and what is odd in them.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::row::Canonical;

fn parsed(json: &str) -> Document<'_> {
    Document::parse(json.as_bytes()).unwrap()
}

/// Does a value say what another reader of JSON finds?
fn says(value: Value<'_>, json: &Json) -> bool {
    match json {
        Json::Null => value.is_empty() && !value.is_list() && value.text().is_none(),
        Json::Bool(wanted) => value.boolean() == Some(*wanted),
        Json::Number(wanted) => value.number().unwrap().parse().ok() == Some(wanted.clone()),
        Json::String(wanted) => value.text().as_deref() == Some(wanted),
        Json::Array(wanted) => {
            value.is_list()
                && value.elements().count() == wanted.len()
                && value.elements().zip(wanted).all(|(value, json)| says(value, json))
        }
        Json::Object(wanted) => {
            value.is_object()
                && value.members().count() == wanted.len()
                && value.members().all(|(name, value)| says(value, &wanted[name]))
        }
    }
}

fn check(json: &str) {
    let wanted: Json = serde_json::from_str(json).unwrap();
    let document = parsed(json);
    assert!(says(document.root(), &wanted), "{json}");
    assert!(document.root().says_as(parsed(&wanted.to_string()).root()), "{json}");
    let mut reader = Reader::default();
    reader.parser.parse(json.as_bytes(), Limits::trusted(), &mut reader.shape).unwrap();
    let Reader { parser, shape } = &reader;
    let (address, _) = Canonical::default().address(&parser.templates, json.as_bytes(), shape);
    assert_eq!(document.address(), address, "{json}");
    check_reduced(&document);
}

/// Reduces a document to each of its members, and to pairs of what is in them.
fn check_reduced(document: &Document<'_>) {
    let mut paths = vec!["nowhere".to_owned(), "a/b/c".to_owned()];
    for (name, value) in document.root().members() {
        paths.extend(value.members().map(|(below, _)| format!("{name}/{below}")));
        paths.push(name.to_owned());
    }
    for (at, first) in paths.iter().enumerate() {
        let two = [Path::new(first), Path::new(&paths[(at + 1) % paths.len()])];
        let mut json = Vec::new();
        Reducer::new(two.clone().into()).reduce(document.json(), &mut json).unwrap();
        let reduced = Document::parse(&json).unwrap();
        for path in &two {
            match (document.get(path), reduced.get(path)) {
                (Some(own), Some(left)) => assert!(own.says_as(left), "{document:?} {path:?}"),
                (own, left) => assert_eq!((own.is_some(), left.is_some()), (false, false)),
            }
        }
        let is_named = |name: &str| two.iter().any(|path| *path.names()[0] == *name);
        assert!(reduced.root().members().all(|(name, _)| is_named(name)), "{reduced:?}");
    }
}

#[test]
fn a_document_is_read_as_others_read_it() {
    for json in [
        "{}",
        r#"{"a":null,"b":true,"c":false,"d":-1.5e3,"e":"x\n\u00e9","f":[],"g":{}}"#,
        r#"{"a":[1,[2,{"b":[3,"c"]},[]],{"d":{"e":["f"]}}],"g":"behind"}"#,
        r#"{ "a" : [ "x" , { "b" : 1 } ] , "c" : { "d" : "e" } }"#,
        r#"{"a":{"b":1},"c":"x","a":{"d":"y"},"\u0063":[1,2]}"#,
        r#"{"a":{"b":{"c":1}},"c":{"a":1},"a":[{"b":2}],"\u0063":"x"}"#,
    ] {
        check(json);
    }
}

#[test]
fn of_equal_names_the_last_counts_whatever_it_is() {
    let document = parsed(r#"{"a":"x","b":{"c":"1"},"\u0061":7,"b":null}"#);
    let names: Vec<&str> = document.root().members().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(document.root().get("a").unwrap().text(), None);
    assert_eq!(document.get(&Path::new("b/c")).map(Value::is_empty), None);
}

#[test]
fn odd_values_are_read_tolerantly() {
    let document = parsed(
        r#"{"half":"a\ud83d","huge":1e999,"long":9223372036854775808,"text":"12","time":"2020-01-02 03:04:05.12345678"}"#,
    );
    let root = document.root();
    let get = |name| root.get(name).unwrap();
    assert_eq!(get("half").text().as_deref(), Some("a\u{fffd}"));
    assert_eq!((get("huge").integer(), get("huge").number()), (None, Some("1e999")));
    assert_eq!((get("long").integer(), get("text").integer()), (None, Some(12)));
    assert_eq!(get("time").time(), "2020-01-02T03:04:05.1234567Z".parse().ok());
    assert_eq!((get("half").time(), get("huge").text(), get("text").boolean()), (None, None, None));
}

#[test]
fn spelling_does_not_matter_to_what_is_said() {
    for (one, other, same) in [
        (r#"{"a":1,"b":"x"}"#, r#"{ "b": "\u0078", "a": 1 }"#, true),
        (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, false),
        (r#"{"a":1e2}"#, r#"{"a":100.0}"#, true),
        (r#"{"a":1}"#, r#"{"a":1.0}"#, false),
        (r#"{"a":"\ud800"}"#, r#"{"a":"\udbff"}"#, false),
        (r#"{"a":1e999}"#, r#"{"a":2e999}"#, false),
        (r#"{"a":null}"#, "{}", false),
    ] {
        assert_eq!(parsed(one).root().says_as(parsed(other).root()), same, "{one} {other}");
    }
}

#[test]
fn what_is_no_object_is_refused() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for json in ["", "[]", "7", "{", "{}{}", " {}", "{} ", "{\"a\":01}", &deep] {
        let error = Document::parse(json.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidInput, "{json}");
    }
    assert!(Document::parse(b"{\"a\":\"\xe9\"}").is_err());
}

#[test]
fn many_members_of_one_name_take_no_quadratic_time() {
    let members = vec![r#""a":1"#; 50_000].join(",");
    let json = format!("{{{members}}}");
    let root = parsed(&json);
    assert_eq!(root.root().members().count(), 1);
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        ".{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-c\"\\\\]{0,2}", inner, 0..5)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_document_is_read_as_others_read_it(value in any_json()) {
        check(&Json::Object([("a".to_owned(), value)].into_iter().collect()).to_string());
    }
}
