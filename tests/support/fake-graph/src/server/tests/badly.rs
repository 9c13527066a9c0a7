//! Accidents and malice, as they look on the wire.

use super::*;

fn page(bench: &Bench, query: &str) -> Option<Reply> {
    let target = format!("/v1.0/users/{}/chats/getAllMessages?{query}", bench.somebody());
    bench.ask(&target, "")
}

#[test]
fn cut_bodies_end_too_early_and_slow_ones_do_not() {
    let bench = Bench::new(Behaviour::default());
    let good = page(&bench, "").unwrap();
    assert!(good.whole);
    assert_eq!(good.headers["transfer-encoding"], "chunked");
    bench.set(|behaviour| behaviour.faults.cut_body = 1.0);
    let cut = page(&bench, "").unwrap();
    assert!(!cut.whole);
    assert!(cut.body.len() < good.body.len() && good.body.starts_with(&cut.body));
    bench.set(|behaviour| behaviour.faults = Faults { slow: 1.0, ..Faults::default() });
    let slow = page(&bench, "").unwrap();
    assert!(slow.whole && slow.body == good.body);
    bench.set(|behaviour| behaviour.faults = Faults { drop: 1.0, ..Faults::default() });
    assert!(page(&bench, "").is_none());
    assert_eq!(bench.fake.seen().faults["cut"], 1);
    assert_eq!(bench.fake.seen().in_flight, 0);
}

#[test]
fn large_pages_time_out_and_asking_again_helps_against_chance() {
    let bench = Bench::new(Behaviour::default());
    bench.set(|behaviour| behaviour.faults.p504_above_top = Some(100));
    assert_eq!(page(&bench, "$top=250").unwrap().status, 504);
    assert_eq!(page(&bench, "$top=100").unwrap().status, 200);
    bench.set(|behaviour| {
        behaviour.faults = Faults { p503: 0.5, p503_retry_after: 3, ..Faults::default() };
    });
    let replies: Vec<Reply> = (0..20).map(|_| page(&bench, "").unwrap()).collect();
    let busy: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 503).collect();
    assert!(!busy.is_empty() && busy.len() < 20);
    assert_eq!(busy[0].headers["retry-after"], "3");
}

#[test]
fn hostile_links_lead_elsewhere_or_nowhere() {
    let bench = Bench::new(Behaviour::default());
    let link = |hostile| {
        bench.set(|behaviour| behaviour.hostile = Some(hostile));
        page(&bench, "").unwrap().json()["@odata.nextLink"].as_str().unwrap().to_owned()
    };
    let origin = bench.fake.origin();
    for foreign in [Foreign::Host, Foreign::Port, Foreign::Scheme, Foreign::UserInfo] {
        let link = link(Hostile::ForeignLink(foreign));
        assert!(!link.starts_with(&format!("{origin}/")), "{link}");
    }
    let (one, two) = (link(Hostile::EndlessEmpty), link(Hostile::EndlessEmpty));
    assert_ne!(one, two);
    assert_eq!(bench.get(&one).json()["value"], serde_json::json!([]));
    assert!(link(Hostile::RepeatingLink).ends_with("/chats/getAllMessages?"));
    assert_eq!(bench.fake.seen().altered_links, 0);
}

#[test]
fn hostile_bodies_are_what_http_and_json_forbid() {
    let bench = Bench::new(Behaviour::default());
    let reply = |hostile| {
        bench.set(|behaviour| behaviour.hostile = Some(hostile));
        page(&bench, "").unwrap()
    };
    let promised = |reply: &Reply| reply.headers["content-length"].parse::<usize>().unwrap();
    let short = reply(Hostile::LengthTooShort);
    assert!(promised(&short) < short.body.len() && short.body.ends_with(b"]}"));
    let long = reply(Hostile::LengthTooLong);
    assert!(promised(&long) > long.body.len());
    let huge = reply(Hostile::HugePage(3 << 20));
    assert!(huge.body.len() > 2 << 20 && huge.json()["value"].is_array());
    assert!(reply(Hostile::DeepNesting(50_000)).body.len() > 100_000);
    assert!(std::str::from_utf8(&reply(Hostile::BrokenText).body).is_err());
    assert!(serde_json::from_slice::<Value>(&reply(Hostile::NotJson).body).is_err());
    let moved = reply(Hostile::RedirectElsewhere);
    assert_eq!(moved.status, 302);
    assert!(moved.headers["location"].starts_with(&bench.fake.elsewhere()));
    bench.set(|behaviour| behaviour.hostile_for = Some("somebody-else".to_owned()));
    assert_eq!(page(&bench, "").unwrap().status, 200);
}
