//! How a report is told, by values.

use chatvault_engine::Custodian;
use chatvault_ingest::sync::Trouble;

use super::*;

/// The report of a run that had nothing to do.
pub(crate) fn empty() -> SyncReport {
    SyncReport {
        run: 1,
        finished: true,
        started_ms: 0,
        ended_ms: 0,
        accounts: BTreeMap::new(),
        total: Tally::default(),
        troubles: Vec::new(),
        discovered: 0,
        inactive: 0,
        external: 0,
        asked: None,
        notes: Vec::new(),
        gaps: Vec::new(),
        newly_quarantined: 0,
    }
}

fn tally() -> Tally {
    Tally {
        pages: 1_300,
        copies: 310_000,
        stored: 1_000,
        variants: 10,
        duplicates: 308_988,
        quarantined: 2,
        objects: 3,
        object_bytes: 2_048,
        failures: 1,
        known: 0,
        requests: 1_700,
        retries: 12,
        throttled_ms: 3_400,
    }
}

fn trouble(reason: &str) -> Trouble {
    Trouble {
        what: "chats".to_owned(),
        reason: reason.to_owned(),
        advice: "grant Chat.Read.All".to_owned(),
        known: false,
    }
}

fn account(outcome: Outcome, troubles: Vec<Trouble>) -> AccountReport {
    AccountReport { outcome, troubles, ..AccountReport::default() }
}

fn report() -> SyncReport {
    let accounts = [
        ("user:ann", account(Outcome::Complete, Vec::new())),
        ("user:ben", account(Outcome::Failed, vec![trouble("403 Forbidden"), trouble("402")])),
        ("team:t", account(Outcome::Partial, vec![trouble("504\u{1b}[2J")])),
    ];
    SyncReport {
        run: 7,
        started_ms: 1_772_438_400_000,
        ended_ms: 1_772_438_462_000,
        accounts: accounts.map(|(id, each)| (id.to_owned(), each)).into(),
        total: tally(),
        inactive: 20,
        ..empty()
    }
}

fn known() -> [Account; 1] {
    let account = Account {
        name: Some("Ben Okri".to_owned()),
        address: Some("ben@contoso.com".to_owned()),
        missing: 4,
        ..Account::new(Custodian::user("ben"))
    };
    [account]
}

fn printed(told: &Told<'_>, all: bool) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console::of_files(&mut out, &mut err);
    if all { told.print_all(&mut console) } else { told.print(&mut console) }.unwrap();
    drop(console);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_report_adds_up_for_people() {
    let (report, known) = (report(), known());
    let lines = printed(&Told::new(&report, &known), false);
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            "run               7, finished",
            "accounts          3: 1 complete, 1 partial, 1 failed; 20 inactive",
            "pages             1,300",
            "copies delivered  310,000",
            "  new versions    1,000",
            "  new variants    10",
            "  duplicates      308,988",
            "  quarantined     2",
            "objects           3 (2.0 KiB)",
            "  not to be had   1",
            "  missing in all  4",
            "requests          1,700, 12 of them again; throttled for 3.4 s",
            "time              62.0 s, 5,000 copies/s",
            "partial: team:t: chats: 504\u{fffd}[2J",
            "failed: user:ben (Ben Okri): chats: 403 Forbidden (and 1 more)",
            "  to do: grant Chat.Read.All",
        ]
    );
}

#[test]
fn the_whole_report_says_how_the_numbers_balance() {
    let mut report = report();
    let lines = printed(&Told::new(&report, &[]), true);
    let sum = "310,000 copies = 1,000 new + 10 variants + 308,988 duplicates + 2 quarantined";
    assert!(lines.contains(&format!("balance           {sum}")), "{lines}");
    let ann = report.accounts.get_mut("user:ann").unwrap();
    ann.tally.copies = 5;
    let lines = printed(&Told::new(&report, &[]), true);
    assert!(lines.contains("DOES NOT BALANCE") && lines.contains("look at user:ann"), "{lines}");
}

#[test]
fn the_whole_report_has_every_account_and_every_trouble() {
    let (report, known) = (report(), known());
    let lines = printed(&Told::new(&report, &known), true);
    for expected in
        ["user:ann  ", "user:ben: chats: 403 Forbidden", "user:ben: chats: 402", "Ben Okri"]
    {
        assert!(lines.contains(expected), "{expected}: {lines}");
    }
    assert_eq!(lines.matches("to do: grant Chat.Read.All").count(), 1, "{lines}");
}

#[test]
fn only_the_first_accounts_are_named_unless_all_are_wanted() {
    let mut report = report();
    let failed = |number: u32| {
        (format!("user:{number:02}"), account(Outcome::Failed, vec![trouble("no mailbox")]))
    };
    report.accounts = (0..25).map(failed).collect();
    let told = Told::new(&report, &[]);
    let named = |all| printed(&told, all).matches("no mailbox").count();
    assert_eq!((named(false), named(true)), (NAMED_ACCOUNTS, 25), "at once and in full");
    assert!(told.has_more_than_printed());
}

#[test]
fn the_outcome_tells_stopped_before_incomplete_before_done() {
    let ended = |change: &dyn Fn(&mut SyncReport)| {
        let mut report = empty();
        change(&mut report);
        Told::new(&report, &[]).outcome()
    };
    let with = |report: &mut SyncReport, id: &str, outcome| {
        drop(report.accounts.insert(id.to_owned(), account(outcome, Vec::new())));
    };
    let incomplete: [&dyn Fn(&mut SyncReport); 3] = [
        &|report| (report.total.failures, report.total.known) = (2, 1),
        &|report| report.newly_quarantined = 1,
        &|report| report.troubles.push(trouble("x")),
    ];
    for change in incomplete {
        assert_eq!(ended(change), failure::Outcome::Incomplete);
    }
    assert_eq!(ended(&|_| {}), failure::Outcome::Done);
    let known = |report: &mut SyncReport| {
        (report.total.failures, report.total.known, report.total.quarantined) = (2, 2, 5);
        with(report, "user:a", Outcome::Partial);
        with(report, "user:b", Outcome::Failed);
    };
    assert_eq!(ended(&known), failure::Outcome::Done, "what is known fails no night");
    assert_eq!(ended(&|report| with(report, "user:a", Outcome::Complete)), failure::Outcome::Done);
    let stopped = |report: &mut SyncReport| {
        with(report, "user:a", Outcome::Stopped);
        report.finished = false;
    };
    assert_eq!(ended(&stopped), failure::Outcome::Failed);
    let nothing = |report: &mut SyncReport| with(report, "user:a", Outcome::Failed);
    assert_eq!(ended(&nothing), failure::Outcome::Failed, "nobody was exported");
}

#[test]
fn programs_get_the_documented_fields() {
    let (report, known) = (report(), known());
    let value = serde_json::to_value(Told::new(&report, &known).as_json()).unwrap();
    let help = include_str!("../commands/sync/help.rs");
    for field in value.as_object().unwrap().keys() {
        assert!(help.contains(field.as_str()), "{field} is not documented");
    }
    assert_eq!(value["started"], "2026-03-02T08:00:00Z");
    assert_eq!(value["copies"], 310_000);
    assert_eq!(value["failed"], 1);
    assert_eq!(value["balanced"], true);
    assert_eq!(value["accounts"][2]["name"], "Ben Okri");
    assert_eq!(value["accounts"][2]["troubles"][0]["reason"], "403 Forbidden");
}

#[test]
fn times_are_told_in_the_unit_that_fits() {
    for (ms, told) in
        [(0, "0.0 s"), (99_950, "99.9 s"), (245_000, "4 min 05 s"), (27_000_000, "7 h 30 min")]
    {
        assert_eq!(span(ms), told);
    }
    assert_eq!(minute(1_772_438_462_000), "2026-03-02 08:01");
    assert_eq!(took_ms(5, 3), 0, "a clock that went back");
}
