//! Pages as the service and its enemies write them.

use super::*;

fn items<'a>(page: &Page<'a>) -> Vec<&'a str> {
    page.items.iter().map(|item| str::from_utf8(item).unwrap()).collect()
}

fn refusal(body: &str) -> (usize, String) {
    let broken = read(body.as_bytes()).unwrap_err();
    (broken.offset, broken.message)
}

#[test]
fn a_page_of_the_service_is_taken_apart_as_it_came() {
    let body = br#"{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(chatMessage)",
        "@odata.count": 2, "@odata.nextLink": "https:\/\/graph.microsoft.com/\u0076",
        "value": [ {"id":"1", "value":[1]} ,{"id" :"2","@odata.nextLink":"no"}] , "more": [[{}]]}"#;
    let page = read(body).unwrap();
    assert_eq!(
        items(&page),
        [r#"{"id":"1", "value":[1]}"#, r#"{"id" :"2","@odata.nextLink":"no"}"#]
    );
    assert_eq!(page.next.as_deref(), Some("https://graph.microsoft.com/v"));
    assert_eq!((page.delta, page.count), (None, Some(2)));
}

#[test]
fn items_are_slices_of_the_body() {
    let body = br#"{"value":[{"id":"1"}]}"#;
    let page = read(body).unwrap();
    assert_eq!(page.items[0].as_ptr(), body[10..].as_ptr());
}

#[test]
fn links_counts_and_equal_keys_are_read_leniently() {
    for (body, next, delta, count) in [
        (r#"{"value":[]}"#, None, None, None),
        (r#"{"value":[],"@odata.nextLink":null,"@odata.deltaLink":"d"}"#, None, Some("d"), None),
        (r#"{"value":[],"@odata.nextLink":"a","@odata.nextLink":"b"}"#, Some("b"), None, None),
        (r#"{"@odata.nextLink":"a","value":[],"@odata.nextLink":null}"#, None, None, None),
        (r#"{"value":[],"@odata.count":"20"}"#, None, None, Some(20)),
        (r#"{"value":[],"@odata.count":-1}"#, None, None, None),
        (r#"{"value":[],"@odata.count":{"a":1}}"#, None, None, None),
        (r#"{"value":[],"error":null,"\u0040odata.nextLink":""}"#, Some(""), None, None),
        (" \r\n{\"\\ud800\":1,\"value\":[]}\n", None, None, None),
    ] {
        let page = read(body.as_bytes()).unwrap();
        assert_eq!(
            (page.next.as_deref(), page.delta.as_deref(), page.count),
            (next, delta, count),
            "{body}"
        );
    }
    let twice = read(br#"{"value":[{"id":"1"}],"value":[{}]}"#).unwrap();
    assert_eq!(items(&twice), ["{}"]);
}

#[test]
fn nothing_ends_a_chain_in_silence() {
    for (body, offset, message) in [
        ("", 0, "EOF while parsing a value"),
        ("{}", 0, "it has no `value`"),
        ("[]", 0, "invalid type: sequence, expected an object with `value`"),
        (r#"{"value":null}"#, 12, "invalid type: null, expected an array in `value`"),
        (r#"{"value":{}}"#, 8, "invalid type: map, expected an array in `value`"),
        (r#"{"value":[{}, 7]}"#, 14, "an item is not an object"),
        (r#"{"value":[null]}"#, 10, "an item is not an object"),
        (r#"{"value":[{}]"#, 12, "EOF while parsing an object"),
        (r#"{"value":[{"id":"1"},{"id""#, 25, "EOF while parsing an object"),
        (r#"{"value":[]}{"value":[]}"#, 12, "trailing characters"),
        ("{\n\"value\":\n[{}\n,]}", 16, "trailing comma"),
        (r#"{"value":[],"@odata.nextLink":5}"#, 30, "a link is not a string"),
        (r#"{"value":[],"@odata.deltaLink":["x"]}"#, 31, "a link is not a string"),
        (r#"{"value":[],"@odata.nextLink":"\ud800"}"#, 30, "a link is not a string"),
    ] {
        assert_eq!(refusal(body), (offset, message.to_owned()), "{body}");
    }
}

#[test]
fn an_error_under_status_200_is_an_error() {
    let body = r#"{"value":[{}],"error":{"code":"UnknownError","message":"tried\n again","innerError":{}}}"#;
    let said = "the service reports an error instead of the rest: UnknownError: tried again";
    assert_eq!(refusal(body), (22, said.to_owned()));
    for (body, at) in [(r#"{"error":"no","value":[]}"#, 9), (r#"{"error":{"code":7}}"#, 9)] {
        let said = "the service reports an error instead of the rest: ";
        assert_eq!(refusal(body), (at, said.to_owned()));
    }
}

#[test]
fn bytes_that_are_no_utf8_cost_their_item_only() {
    let body = b"{\"value\":[{\"id\":\"\xff\xfe\"},{\"id\":\"2\"}],\"@odata.nextLink\":\"n\"}";
    let page = read(body).unwrap();
    assert_eq!(page.items, [b"{\"id\":\"\xff\xfe\"}".as_slice(), b"{\"id\":\"2\"}"]);
    assert_eq!(page.next.as_deref(), Some("n"));
    let link = read(b"{\"value\":[],\"@odata.nextLink\":\"\xff\"}").unwrap_err();
    assert_eq!((link.offset, link.message.as_str()), (30, "a link is not a string"));
    assert_eq!(read(b"{\"value\":[\xff]}").unwrap_err().offset, 10);
}

#[test]
fn nesting_needs_neither_stack_nor_time() {
    let megabyte = 1 << 20;
    for (before, deep, behind) in [
        ("", "[", ""),
        ("{\"value\":", "[", ""),
        ("{\"value\":[", "{\"a\":", ""),
        ("{\"value\":[],\"more\":", "[", ""),
        ("{\"value\":[],\"error\":", "[", ""),
        ("{\"value\":[],\"@odata.nextLink\":", "[", ""),
    ] {
        let body = format!("{before}{}{behind}", deep.repeat(megabyte / deep.len()));
        assert!(read(body.as_bytes()).is_err(), "{before}{deep}");
    }
    let closed =
        format!("{{\"value\":[{{\"a\":{}{}}}]}}", "[".repeat(megabyte), "]".repeat(megabyte));
    assert_eq!(read(closed.as_bytes()).unwrap().items.len(), 1);
}
