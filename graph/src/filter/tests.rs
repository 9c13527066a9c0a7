//! Filters as documented, and everything that is none.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Filter, FilterError> {
    text.parse()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

const RANGE: &str = "lastModifiedDateTime gt 2020-06-04T18:03:11.591Z \
    and lastModifiedDateTime lt 2020-06-05T21:00:09.413Z";

fn range(filter: Filter) -> Filter {
    let window = SentRange { from: at(1_591_293_791_591), to: at(1_591_390_809_413) };
    filter.over(TimeField::Modified, window)
}

#[test]
fn every_documented_form_is_rendered_and_read_to_the_letter() {
    let user = "8b081ef6-4792-4def-b2c9-c363a1bf41d5";
    let app_class = "IPM.SkypeTeams.Message.Copilot.";
    let created = |filter: Filter| filter.created_between(at(1_000), at(2_000));
    let sender = Filter::from_sender;
    let class = |name| Filter::default().or_app_class(&format!("{app_class}{name}"));
    for (filter, text) in [
        (Filter::default(), String::new()),
        (range(Filter::default()), RANGE.to_owned()),
        (Filter::from_user(user), format!("from/user/id eq '{user}'")),
        (
            Filter::from_user(user).or(Sender::User("o'neil".into())),
            format!("from/user/id eq '{user}' or from/user/id eq 'o''neil'"),
        ),
        (sender(Sender::SystemEvents), "messageType eq 'systemEventMessage'".to_owned()),
        (sender(Sender::NotSystemEvents), "messageType ne 'systemEventMessage'".to_owned()),
        (
            range(sender(Sender::ApplicationId("1".into()))),
            format!("(from/application/id eq '1') and ({RANGE})"),
        ),
        (
            range(Filter::from_user(user).or(Sender::UserKind(UserKind::ANONYMOUS_GUEST)))
                .or(Sender::Application(ApplicationKind::BOT))
                .or(Sender::SystemEvents),
            format!(
                "(from/user/id eq '{user}' or from/user/userIdentityType eq 'anonymousGuest' \
                 or from/application/applicationIdentityType eq 'bot' \
                 or messageType eq 'systemEventMessage') and ({RANGE})"
            ),
        ),
        (class("BizChat"), format!("appClass eq '{app_class}BizChat'")),
        (
            created(class("BizChat").or_app_class("x")),
            format!(
                "(appClass eq '{app_class}BizChat' or appClass eq 'x') and \
                 (createdDateTime gt 1970-01-01T00:00:00.999Z \
                 and createdDateTime lt 1970-01-01T00:00:02.000Z)"
            ),
        ),
    ] {
        assert_eq!(filter.to_string(), text);
        assert_eq!(parse(&text), Ok(filter), "{text}");
    }
}

#[test]
fn every_documented_kind_has_its_name() {
    let users = [
        (UserKind::AAD, "aadUser"),
        (UserKind::ON_PREMISE_AAD, "onPremiseAadUser"),
        (UserKind::ANONYMOUS_GUEST, "anonymousGuest"),
        (UserKind::FEDERATED, "federatedUser"),
        (UserKind::PERSONAL, "personalMicrosoftAccountUser"),
        (UserKind::SKYPE, "skypeUser"),
        (UserKind::PHONE, "phoneUser"),
        (UserKind::named("userOfTomorrow"), "userOfTomorrow"),
    ];
    for (kind, name) in users {
        let text = format!("from/user/userIdentityType eq '{name}'");
        assert_eq!(parse(&text), Ok(Filter::from_sender(Sender::UserKind(kind))));
    }
    let applications = [
        (ApplicationKind::AAD, "aadApplication"),
        (ApplicationKind::BOT, "bot"),
        (ApplicationKind::TENANT_BOT, "tenantBot"),
        (ApplicationKind::OFFICE_365_CONNECTOR, "office365Connector"),
        (ApplicationKind::OUTGOING_WEBHOOK, "outgoingWebhook"),
        (ApplicationKind::named("appOfTomorrow"), "appOfTomorrow"),
    ];
    for (kind, name) in applications {
        let text = format!("from/application/applicationIdentityType eq '{name}'");
        assert_eq!(parse(&text), Ok(Filter::from_sender(Sender::Application(kind))));
    }
}

#[test]
fn other_spellings_mean_the_same() {
    let wanted = range(Filter::from_user("a").or(Sender::SystemEvents));
    for text in [
        "(from/user/id eq 'a' or messageType eq 'systemEventMessage') and \
         lastModifiedDateTime gt 2020-06-04T18:03:11.591z and lastModifiedDateTime lt 2020-06-05t21:00:09.413z",
        " ( lastModifiedDateTime lt 2020-06-05T23:00:09.413+02:00 ) and\t((((from/user/id\neq'a')or\
         (messageType eq'systemEventMessage'))))and(lastModifiedDateTime gt 2020-06-04T18:03:11.5910000Z)",
        "lastModifiedDateTime ge 2020-06-04T18:03:11.592Z and (from/user/id eq 'a' or messageType eq \
         'systemEventMessage') and lastModifiedDateTime le 2020-06-05T21:00:09.412Z",
    ] {
        assert_eq!(parse(text).as_ref(), Ok(&wanted), "{text}");
    }
}

#[test]
fn a_missing_bound_is_the_widest() {
    let text = "lastModifiedDateTime gt 2020-06-04T18:03:11.591Z";
    let rendered = format!("{text} and lastModifiedDateTime lt 9999-12-31T23:59:59.999Z");
    assert_eq!(parse(text).unwrap().to_string(), rendered);
    let text = "createdDateTime lt 2020-06-04T18:03:11.591Z";
    let rendered = format!("createdDateTime gt 0001-01-01T00:00:00.000Z and {text}");
    assert_eq!(parse(text).unwrap().to_string(), rendered);
}

#[test]
fn what_is_not_documented_is_refused_at_its_place() {
    let brackets = "(".repeat(10_000);
    for (text, place, message) in [
        ("x", 0, "from/user/id,"),
        ("messsageType eq 'systemEventMessage'", 0, "from/user/id,"),
        ("from/user/id", 12, "eq, ne, gt"),
        ("from/user/id ne 'a'", 0, "eq and a text"),
        ("from/user/id eq a", 16, "a value in single quotes"),
        ("from/user/id eq 'a", 16, "a closing single quote"),
        ("from/user/id eq 'a''", 16, "a closing single quote"),
        ("from/user/id eq 'a' or", 22, "from/user/id,"),
        ("from/user/id eq 'a' xor x", 20, "and, or, or the end"),
        ("from/user/id eq 'a')", 19, "and, or, or the end"),
        ("(from/user/id eq 'a'", 20, "and, or, or a closing bracket"),
        ("()", 1, "from/user/id,"),
        ("messageType eq 'message'", 0, "eq or ne 'systemEventMessage'"),
        ("messageType gt 'systemEventMessage'", 0, "eq or ne 'systemEventMessage'"),
        ("lastModifiedDateTime eq 2020-06-04T18:03:11Z", 0, "gt, ge, lt or le"),
        ("lastModifiedDateTime gt '2020-06-04T18:03:11Z'", 24, "a time without quotes"),
        ("from/user/id eq null", 0, "eq and a text"),
        ("not (from/user/id eq 'a')", 5, "a clause without `not`"),
        ("lastModifiedDateTime gt 2020-02-31T18:03:11Z", 24, "a time without quotes"),
        ("lastModifiedDateTime gt 2020-06-04T18:03:11", 24, "a time without quotes"),
        (
            "lastModifiedDateTime gt 2020-06-04T18:03:11Z and createdDateTime lt 2020-06-04T18:03:11Z",
            49,
            "both bounds of a range to be of the same field",
        ),
        (
            "createdDateTime gt 2020-06-04T18:03:11Z and createdDateTime ge 2020-06-04T18:03:11Z",
            44,
            "one lower and one upper bound",
        ),
        (
            "from/user/id eq 'a' or createdDateTime gt 2020-06-04T18:03:11Z",
            23,
            "a time range to be joined to the rest by `and`",
        ),
        ("from/user/id eq 'a' and from/user/id eq 'b'", 24, "clauses about the same thing"),
        ("from/user/id eq 'a' or appClass eq 'b'", 0, "senders and app classes to be joined"),
        (
            "from/user/id eq 'a' or from/user/id eq 'b' and from/user/id eq 'c'",
            23,
            "clauses that are joined by `or`",
        ),
        (&brackets, 32, "at most 32 brackets"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.at, place + 1, "{text}: {error}");
        assert!(error.expected.starts_with(message), "{text}: {error}");
    }
}

#[test]
fn a_range_includes_its_start_and_excludes_its_end() {
    let filter = Filter::default().between(at(0), at(86_400_000));
    let text = "lastModifiedDateTime gt 1969-12-31T23:59:59.999Z \
        and lastModifiedDateTime lt 1970-01-02T00:00:00.000Z";
    assert_eq!(filter.to_string(), text);
    assert_eq!(filter.window(TimeField::Created), None);
    assert_eq!(
        filter.window(TimeField::Modified),
        Some(SentRange { from: at(-1), to: at(86_400_000) })
    );
}

#[test]
fn fetching_once_asks_for_the_user_and_for_all_who_have_no_export_of_their_own() {
    let filter = fetch_once("u");
    assert!(filter.senders().contains(&Sender::User("u".into())));
    assert!(filter.senders().contains(&Sender::SystemEvents));
    assert!(!filter.senders().contains(&Sender::UserKind(UserKind::AAD)), "would be everything");
    let kinds = |prefix: &str| {
        let of_kind = |sender: &&Sender| sender.to_string().starts_with(prefix);
        filter.senders().iter().filter(of_kind).count()
    };
    assert_eq!(kinds("from/user/userIdentityType"), 6);
    assert_eq!(kinds("from/application/applicationIdentityType"), 5);
    assert_eq!(filter.senders().len(), 13);
}

fn senders() -> impl Strategy<Value = Sender> {
    prop_oneof![
        any::<String>().prop_map(Sender::User),
        any::<String>().prop_map(Sender::ApplicationId),
        "[a-z']{0,9}".prop_map(|name| Sender::UserKind(UserKind::named(&name))),
        any::<String>().prop_map(|name| Sender::Application(ApplicationKind::named(&name))),
        Just(Sender::UserKind(UserKind::FEDERATED)),
        Just(Sender::SystemEvents),
        Just(Sender::NotSystemEvents),
    ]
}

fn ranges() -> impl Strategy<Value = (bool, i64, i64)> {
    let near = -70_000_000_000_000_i64..300_000_000_000_000;
    let ticks = prop_oneof![near.prop_map(|ms| ms * 10_000), any::<i64>()];
    (any::<bool>(), ticks.clone(), ticks)
}

fn filters() -> impl Strategy<Value = Filter> {
    let any_of = prop::collection::vec(senders(), 0..5);
    let classes = prop::collection::vec(any::<String>(), 0..3);
    (any_of, classes, prop::option::of(ranges())).prop_map(|(any_of, app_classes, range)| {
        let filter = Filter { any_of, app_classes, range: None };
        match range.map(|(created, from, to)| (created, Timestamp::from_ticks(from), to)) {
            None => filter,
            Some((true, from, to)) => filter.created_between(from, Timestamp::from_ticks(to)),
            Some((false, from, to)) => filter.between(from, Timestamp::from_ticks(to)),
        }
    })
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_as_the_same(filter in filters()) {
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn no_text_is_too_much(text in "(from/user/id eq '|lastModifiedDateTime gt |2020-01-01T00:00:00Z|messageType|'| |and|or|\\(|\\)|\\PC){0,12}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.at <= text.chars().count() + 1, "{error}");
        }
    }
}
