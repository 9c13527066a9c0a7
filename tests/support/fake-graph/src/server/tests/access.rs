//! Who gets a token, what it is good for, and how much may be asked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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

#[test]
fn who_names_roles_and_who_does_not() {
    let mut bench = Bench::new(Behaviour::default());
    let chats = format!("/v1.0/users/{}/chats/getAllMessages", bench.somebody());
    let share = "/v1.0/shares/u!aHR0cHM6Ly94/driveItem/content";
    let refusals = |bench: &Bench| {
        ["/v1.0/users", "/v1.0/groups", share, &chats].map(|path| {
            let refused = bench.get(path);
            (refused.status, refused.message().contains("requires one of"))
        })
    };
    bench.set(|behaviour| behaviour.access.roles.clear());
    bench.token = sign_in(&bench.fake);
    let claims = bench.token.split('.').nth(1).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
    assert!(!String::from_utf8(claims).unwrap().contains("roles"), "no consent, no claim");
    assert_eq!(refusals(&bench), [(403, false), (403, false), (403, false), (403, true)]);
    bench.set(|behaviour| behaviour.access.silent = true);
    assert_eq!(refusals(&bench)[3], (403, false));
}

#[test]
fn lists_of_users_give_what_is_selected_and_those_without_a_mailbox_first() {
    let bench = Bench::new(Behaviour::default());
    let list = |path: &str| bench.get(path).json()["value"].as_array().unwrap().clone();
    let plain = list("/v1.0/users");
    assert!(plain.iter().all(|user| user.get("userType").is_none() && user["id"].is_string()));
    let select = "/v1.0/users?$select=id,userType,accountEnabled,assignedLicenses";
    let users = list(select);
    assert!(users.iter().all(|user| user.get("displayName").is_none()));
    assert_eq!(users[0]["userType"], "Guest");
    let licensed = |user: &Value| !user["assignedLicenses"].as_array().unwrap().is_empty();
    let first = users.iter().position(licensed).unwrap();
    assert!(first > 0 && users[first..].iter().all(licensed), "{users:?}");
}

#[test]
fn bounds_that_are_not_exclusive_are_refused_and_retained_versions_may_be() {
    let bench = Bench::new(Behaviour::default());
    let user = bench.somebody();
    let filter = "lastModifiedDateTime%20ge%202025-09-01T00:00:00Z%20and%20\
        lastModifiedDateTime%20lt%202025-10-01T00:00:00Z";
    let chats = format!("/v1.0/users/{user}/chats/getAllMessages?$filter={filter}");
    let refused = bench.get(&chats);
    assert!(refused.status == 400 && refused.message().contains("GreaterThanOrEqual"));
    let retained = format!("/v1.0/users/{user}/chats/getAllRetainedMessages");
    assert_eq!(bench.get(&retained).status, 200);
    bench.set(|behaviour| behaviour.retained_refused = true);
    assert_eq!(bench.get(&retained).status, 403);
}

#[test]
fn every_endpoint_has_its_word_in_the_rules() {
    let rules = include_str!("../../../RULES.md");
    for endpoint in [
        "/users`",
        "deletedItems",
        "/groups",
        "/teamwork/deletedTeams`",
        "getAllMessages",
        "getAllRetainedMessages",
        "getAllRetainedTargetedMessages",
        "delta",
        "getAllRecordings",
        "getAllTranscripts",
        "adhocCalls",
        "getAllEnterpriseInteractions",
        "hostedContents",
        "/shares/",
        "token endpoint",
    ] {
        assert!(rules.contains(endpoint), "{endpoint}");
    }
    let rows = rules.lines().filter(|line| line.starts_with("| ")).skip(1);
    for row in rows {
        let word = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(word.len() > 4, "whose word: {row}");
    }
}
