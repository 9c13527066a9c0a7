//! Who gets a token, what it is good for, and how much may be asked.

use super::*;

#[test]
fn the_token_endpoint_says_what_is_wrong() {
    let bench = Bench::new(Behaviour::default());
    let (fake, tenant) = (&bench.fake, bench.fake.tenant_id());
    let good = form(fake, CLIENT_ID, SECRET);
    let other_scope = good.replace("%2f.default", "%2fother");
    for (tenant, form, status, code) in [
        (tenant.as_str(), form(fake, CLIENT_ID, "wrong"), 401, 7_000_215),
        (tenant.as_str(), form(fake, "nobody", SECRET), 400, 700_016),
        ("another", good, 400, 90_002),
        (tenant.as_str(), other_scope, 400, 70_011),
        (tenant.as_str(), "grant_type=password".to_owned(), 400, 70_003),
    ] {
        let reply = ask_token(fake, tenant, &form);
        assert_eq!(reply.status, status, "{code}");
        let body = reply.json();
        assert_eq!(body["error_codes"], serde_json::json!([code]));
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
    }
    assert_eq!((fake.seen().tokens_issued, fake.seen().tokens_refused), (1, 5));
}

#[test]
fn tokens_expire_and_need_their_role() {
    let mut bench = Bench::new(Behaviour::default());
    let chats = format!("/v1.0/users/{}/chats/getAllMessages", bench.somebody());
    assert_eq!(bench.get(&chats).status, 200);
    bench.set(|behaviour| behaviour.access.roles = vec!["User.Read.All".to_owned()]);
    bench.token = sign_in(&bench.fake);
    let missing = bench.get(&chats);
    assert_eq!(missing.status, 403);
    assert_eq!(
        missing.message(),
        "Missing role permissions on the request. API requires one of 'Chat.Read.All, \
         Chat.ReadWrite.All'. Roles on the request 'User.Read.All'."
    );
    bench.set(|behaviour| behaviour.access.delegated = true);
    bench.token = sign_in(&bench.fake);
    assert_eq!(bench.get(&chats).status, 412);
    bench.set(|behaviour| behaviour.access = Access { token_seconds: 0, ..Access::default() });
    bench.token = sign_in(&bench.fake);
    let expired = bench.get(&chats);
    assert_eq!(expired.status, 401);
    assert!(expired.headers["www-authenticate"].starts_with("Bearer "));
    bench.token = "made.up.token".to_owned();
    assert_eq!(bench.get(&chats).status, 401);
}

#[test]
fn requests_above_the_limit_are_refused_and_counted() {
    let rules = Throttle { export: 20, retry_after: 7, ..Throttle::default() };
    let bench = Bench::new(Behaviour { throttle: Some(rules), ..Behaviour::default() });
    let chats = format!("/v1.0/users/{}/chats/getAllMessages", bench.somebody());
    let replies: Vec<Reply> = (0..30).map(|_| bench.get(&chats)).collect();
    let refused: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert!(replies.iter().take(20).all(|reply| reply.status == 200));
    assert!(!refused.is_empty());
    assert_eq!(refused[0].headers["retry-after"], "7");
    let seen = bench.fake.seen();
    assert_eq!(seen.above_limit[&Class::Chats], refused.len() as u64);
    assert_eq!(seen.of(Class::Chats), 30);
    assert_eq!(seen.per_second[&Class::Chats].iter().sum::<u32>(), 30);
}
