//! Quoted and forwarded messages.

use super::*;

fn reply(id: &str) -> Value {
    json!({
        "id": id,
        "contentType": "messageReference",
        "content": json!({
            "messageId": id,
            "messagePreview": "Testing <unread>\nstatus",
            "messageSender": {"application": null, "user":
                {"userIdentityType": "aadUser", "id": "u-alex", "displayName": "Alex"}},
        }).to_string(),
    })
}

fn forward(id: &str, html: &str) -> Value {
    json!({
        "id": id,
        "contentType": "forwardedMessageReference",
        "content": json!({
            "originalMessageId": id,
            "originalMessageContent": html,
            "originalConversationId": "19:x@thread.v2",
            "originalSentDateTime": "2024-10-02T15:02:40.458+00:00",
            "originalMessageSender": {"user": {"id": "u-adele", "displayName": null}},
        }).to_string(),
    })
}

fn file(id: &str, name: Option<&str>) -> Value {
    json!({"id": id, "contentType": "reference", "contentUrl": "https://x.example/f", "name": name})
}

fn document(html: &str, attachments: &Value) -> Document {
    let json = message_json(html, attachments);
    let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
    let message = Message::of(&stored);
    Document::of(&message)
}

#[test]
fn an_answered_message_is_quoted_where_the_body_puts_it_or_before_it() {
    let of = QuoteOf {
        kind: QuoteKind::Reply,
        message: Some("162".into()),
        sender: Some("Alex".into()),
        sender_id: Some("u-alex".into()),
        sent: None,
        attachment: Some(0),
    };
    let quote = Block::Quote {
        of: Some(of),
        blocks: vec![paragraph("Testing <unread>"), paragraph("status")],
    };
    let attachments = json!([reply("162")]);
    for html in ["<attachment id=\"162\"></attachment>\n<p>yes</p>", "<p>yes</p>"] {
        let found = document(html, &attachments);
        assert_eq!(found.blocks, [quote.clone(), paragraph("yes")], "{html}");
        assert_eq!(found.unplaced, [] as [usize; 0]);
        assert_eq!(said_with(html, &attachments), "> Alex:\n> Testing <unread>\n> status\nyes");
    }
    let behind = document("<p>yes</p><attachment id=\"162\"></attachment>", &attachments);
    assert_eq!(behind.blocks, [paragraph("yes"), quote]);
}

#[test]
fn an_old_answer_is_quoted_too() {
    let html = "<div>\n<blockquote itemscope=\"\" itemtype=\"http://schema.skype.com/Reply\" itemid=\"1600457867820\">\n\
        <strong itemprop=\"mri\" itemid=\"8:orgid:0de69e5e\">Richard Wilson</strong><span itemprop=\"time\" itemid=\"1600457867820\"></span>\n\
        <p itemprop=\"preview\">1237</p>\n</blockquote>\n<p>this is a reply</p>\n</div>";
    let of = QuoteOf {
        kind: QuoteKind::Reply,
        message: Some("1600457867820".into()),
        sender: Some("Richard Wilson".into()),
        sender_id: Some("0de69e5e".into()),
        sent: Some(Timestamp::from_ms(1_600_457_867_820)),
        attachment: None,
    };
    assert_eq!(
        blocks(html),
        [
            Block::Quote { of: Some(of), blocks: vec![paragraph("1237")] },
            paragraph("this is a reply"),
        ]
    );
    check(&[
        (html, "> Richard Wilson:\n> 1237\nthis is a reply"),
        ("<blockquote>\n<p>just words</p>\n</blockquote>", "> just words"),
        ("<blockquote>a<blockquote>b</blockquote>c</blockquote>", "> a\n> > b\n> c"),
        ("<blockquote><p>a</p><p>&nbsp;</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<strong itemprop=\"mri\">Name</strong> text", "Name text"),
    ]);
}

#[test]
fn a_forwarded_message_is_read_as_the_html_that_it_is() {
    let attachments = json!([forward("172", "\n<p>hello <b>you</b></p><script>x</script>\n")]);
    let html = "<attachment id=\"172\"></attachment>";
    assert_eq!(said_with(html, &attachments), "> Forwarded:\n> hello you");
    assert_eq!(said_with("<p>see</p>", &attachments), "see\n> Forwarded:\n> hello you");
    let found = document(html, &attachments);
    let [Block::Quote { of: Some(of), blocks }] = found.blocks.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((of.kind, of.sender_id.as_deref()), (QuoteKind::Forward, Some("u-adele")));
    assert_eq!(of.sent, Some("2024-10-02T15:02:40.458Z".parse().unwrap()));
    assert_eq!(
        *blocks,
        [Block::Paragraph(vec![plain("hello "), Inline::Strong(vec![plain("you")])])]
    );
}

#[test]
fn files_are_placed_once_and_what_is_left_stands_behind() {
    let attachments =
        json!([file("F1", Some("a b.docx")), file("F2", Some("c.pdf")), file("F3", None)]);
    let html = "Here's <attachment id=\"F2\"></attachment> the <b>budget</b>\
        <attachment id=\"F2\"></attachment><attachment id=\"F9\"></attachment><attachment></attachment>";
    let found = document(html, &attachments);
    assert_eq!(found.unplaced, [0, 2]);
    assert_eq!(found.blocks[1], Block::Attachment(1));
    assert_eq!(
        said_with(html, &attachments),
        "Here's\n[attachment: c.pdf]\nthe budget[attachment][attachment][attachment]\n\
         [attachment: a b.docx]\n[attachment]"
    );
    assert!(!document("", &attachments).is_empty());
    assert!(document("", &json!([])).is_empty());
}

#[test]
fn of_attachments_with_one_id_the_first_is_placed() {
    let attachments = json!([file("F", Some("1")), file("F", Some("2"))]);
    let found = document("<attachment id=\"F\"></attachment>", &attachments);
    assert_eq!((found.blocks, found.unplaced), (vec![Block::Attachment(0)], vec![1]));
}

#[test]
fn a_reference_that_cannot_be_read_stays_an_attachment() {
    for content in [json!(null), json!("no json"), json!("[]"), json!("{"), json!(7)] {
        let attachments =
            json!([{"id": "1", "contentType": "messageReference", "content": content}]);
        let found = document("<p>x</p>", &attachments);
        assert_eq!((found.blocks, found.unplaced), (vec![paragraph("x")], vec![0]), "{content}");
    }
}

#[test]
fn a_code_snippet_card_is_code() {
    let content = json!({"name": "snippet", "language": "Go", "wrap": false,
        "lines": ["func f() {", "\tx()", "}", ""]});
    let kind = "application/vnd.microsoft.card.codesnippet";
    let attachments = json!([{"id": "S", "contentType": kind, "content": content.to_string()}]);
    let code = Block::Code { language: Some("Go".into()), text: "func f() {\n\tx()\n}".into() };
    let placed = document("<p>a</p><attachment id=\"S\"></attachment><p>b</p>", &attachments);
    assert_eq!(placed.blocks, [paragraph("a"), code.clone(), paragraph("b")]);
    assert_eq!(document("<p>a</p>", &attachments).blocks, [paragraph("a"), code]);
    let content = json!({"name": "f.go", "language": "Go", "codeSnippetUrl": "https://x.example/"});
    let attachments = json!([{"id": "S", "contentType": kind, "content": content.to_string()}]);
    assert_eq!(said_with("<attachment id=\"S\"></attachment>", &attachments), "[code: f.go, Go]");
}

#[test]
fn code_that_is_a_hosted_content_can_be_put_where_it_is_shown() {
    let content = json!({"name": "a.py", "language": "Python", "codeSnippetUrl":
        "https://graph.microsoft.com/v1.0/chats/19:c/messages/1/hostedContents/aW%3D/$value"});
    let attachments = json!([{"id": "S", "content": content.to_string(),
        "contentType": "application/vnd.microsoft.card.codesnippet"}]);
    let json = json!({"id": "1", "body": {"contentType": "html", "content":
        "<p>see</p><attachment id=\"S\"></attachment>"}, "attachments": attachments});
    let json = json.to_string();
    let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
    let mut message = Message::of(&stored);
    let at = snippet_at(&message.attachments[0]).unwrap();
    assert_eq!(at, SnippetAt { hosted: "aW=".to_owned(), name: "a.py".to_owned() });
    let content = with_lines(message.attachments[0].content.as_deref().unwrap(), "print(1)\n");
    message.attachments[0].content = Some(content.into());
    assert_eq!(plain_text(&message), "see\nprint(1)");
}
