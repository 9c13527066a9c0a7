//! `sync`, `account` and `runs` as a person and a program use them: what they say, what they
//! document, how they end, and that no secret is ever in it.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use chatvault_engine::{Archive, Clock, Host, SystemClock};
use chatvault_fake_graph::{
    Access, Behaviour, CLIENT_ID, DAY_MS, FakeGraph, ROLES, SECRET, Setup, Source, Tenant,
};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::kit::command::{Ran, chatvault};
use crate::kit::{files, small};

const DAYS: u32 = 8;

/// The numbers of a run, an account's part of it, or a list of runs.
const NUMBERS: &str = "pages copies stored variants duplicates quarantined objects object_bytes \
    failures known requests retries throttled_ms";
/// The usual feeds without the directory's records.
const FEEDS: &str = "chats,retained-chats,channels,retained-channels";
const RUN: &str = "run finished started ended seconds copies_per_second complete partial failed external \
    stopped discovered inactive missing balanced troubles accounts asked notes gaps newly_quarantined";

/// A person's desk: a tenant behind a fake service, a file with the secret, an empty archive.
struct Desk {
    folder: TempDir,
    fake: FakeGraph,
    secret: NamedTempFile,
    archive: String,
}

fn secret_file(text: &str) -> NamedTempFile {
    // Only its owner can read it, or the command would say so.
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// All permissions but one.
fn without(role: &str) -> Behaviour {
    let roles = ROLES.into_iter().filter(|there| *there != role).map(str::to_owned).collect();
    Behaviour { access: Access { roles, ..Access::default() }, ..Behaviour::default() }
}

fn tenant(seed: u64) -> Source {
    let from = SystemClock.now().ms() - i64::from(DAYS) * DAY_MS;
    let setup = Setup { seed, from, days: DAYS, messages_per_day: 30, ..Setup::default() };
    Source::Tenant(Arc::new(Tenant::new(&setup)))
}

/// Attached files cannot be had: something is missing for certain.
fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeGraph::start(tenant(1), without("Files.Read.All")).unwrap();
    let archive = folder.path().join("team.cvault").to_str().unwrap().to_owned();
    let desk = Desk { folder, fake, secret: secret_file(SECRET), archive };
    let made = run(&["init", &desk.archive]);
    assert!(made.code == 0 && made.out.contains("next: chatvault sync "), "{made:?}");
    desk
}

/// Whatever a command says, it says no secret and no token.
fn run(line: &[&str]) -> Ran {
    let ran = chatvault(line);
    for text in [&ran.out, &ran.err] {
        for part in ["fake~8Q", "graph-secret", "odd=characters", "eyJ", "Bearer"] {
            assert!(!text.contains(part), "{line:?}: {text}");
        }
    }
    ran
}

/// A command as a program sees it.
fn json(line: &[&str]) -> (u8, Value) {
    let ran = run(&[line, &["--json"]].concat());
    assert_eq!(ran.out.lines().count(), 1, "{line:?}: {ran:?}");
    (ran.code, serde_json::from_str(&ran.out).unwrap())
}

/// One line that says what is wrong, and one that says what to do.
fn assert_told(ran: &Ran, code: u8, words: &[&str]) {
    assert_eq!((ran.code, &*ran.out), (code, ""), "{ran:?}");
    assert!(ran.err.starts_with("error: ") && ran.err.lines().count() <= 2, "{ran:?}");
    assert!(words.iter().all(|word| ran.err.contains(word)), "{words:?}: {}", ran.err);
}

impl Desk {
    /// The connection, said in full; what comes after it counts.
    fn connection(&self) -> Vec<String> {
        let (origin, secret) = (self.fake.origin(), self.secret.path().to_str().unwrap());
        let line = format!(
            "--no-limits --cloud custom --login-url {origin} --graph-url {origin} --tenant {} \
             --client-id {CLIENT_ID} --client-secret-file {secret}",
            self.fake.tenant_id()
        );
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// `sync` of the archive, with an option of the connection replaced by another value.
    fn sync_as(&self, option: &str, value: &str, more: &[&str]) -> Ran {
        let mut line = self.connection();
        if let Some(at) = line.iter().position(|there| there == option) {
            value.clone_into(&mut line[at + 1]);
        }
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        run(&[&["sync", &self.archive], &line[..], more].concat())
    }

    fn sync(&self, more: &[&str]) -> Ran {
        self.sync_as("", "", more)
    }

    /// A run of `sync` as a program sees it.
    fn synced(&self, more: &[&str]) -> (u8, Value) {
        let ran = self.sync(&[more, &["--json"]].concat());
        let json = serde_json::from_str(&ran.out);
        assert!(json.is_ok(), "{ran:?}");
        (ran.code, json.unwrap())
    }

    fn activate_all(&self) {
        assert_eq!(self.sync(&[]).code, 0);
        assert_eq!(run(&["account", "activate", &self.archive, "--all"]).code, 0);
    }

    fn accounts(&self, more: &[&str]) -> Vec<Value> {
        let (code, list) = json(&[&["account", "list", &self.archive], more].concat());
        assert_eq!(code, 0);
        list["accounts"].as_array().unwrap().clone()
    }
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Exactly these fields, and the command's help documents each.
fn assert_fields(value: &Value, fields: &[&str], help: &str) {
    let expected: BTreeSet<&str> = fields.iter().flat_map(|part| part.split_whitespace()).collect();
    assert_eq!(names(value), expected);
    let documents: String = help.split("JSON fields:").skip(1).collect();
    let words: BTreeSet<&str> =
        documents.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let numbers: BTreeSet<&str> = NUMBERS.split_whitespace().collect();
    for field in expected.difference(&numbers) {
        assert!(words.contains(field), "{field} is not documented in: {documents}");
    }
}

fn assert_balances(tally: &Value) {
    let number = |name: &str| tally[name].as_u64().unwrap();
    let parts = ["stored", "variants", "duplicates", "quarantined"].map(number);
    assert_eq!(number("copies"), parts.iter().sum::<u64>(), "{tally}");
}

#[test]
fn the_life_of_an_archive_from_its_first_day() {
    let desk = desk();
    let test = desk.sync(&["--test", "--no-content"]);
    assert!(test.code == 0 && test.out.lines().all(|line| line.starts_with("ok ")), "{test:?}");
    let first = desk.sync(&[]);
    assert!(first.code == 0 && first.err.contains("account activate"), "{first:?}");
    assert!(desk.accounts(&["--active"]).is_empty());
    let known = desk.accounts(&["--inactive"]);
    let one = known.iter().find(|account| account["address"].is_string()).unwrap();
    let list = desk.folder.path().join("accounts.txt");
    files::write(&list, format!("# the first\n{}\n", one["address"].as_str().unwrap()).as_bytes());
    let list = list.to_str().unwrap();
    let (code, changed) = json(&["account", "activate", &desk.archive, "--from-file", list]);
    assert_eq!((code, &changed["changed"]), (0, &Value::from(vec![one["account"].clone()])));
    let all = run(&["account", "activate", &desk.archive, "--all"]);
    assert!(all.code == 0 && all.out.contains("now active"), "{all:?}");

    let (code, first) = desk.synced(&[]);
    assert_eq!((code, &first["balanced"], &first["finished"]), (3, &true.into(), &true.into()));
    assert!(first["stored"].as_u64().unwrap() > 100 && first["duplicates"].as_u64().unwrap() > 100);
    let missing = first["missing"].as_u64().unwrap();
    assert!(missing > 0, "no file was attached to anything: {first}");
    let (code, again) = desk.synced(&[]);
    assert_eq!((code, &again["stored"], &again["variants"]), (0, &0.into(), &0.into()), "{again}");
    assert_eq!(again["failures"], again["known"], "what was told is listed, and fails nothing");
    assert_eq!(again["missing"], first["missing"]);
    assert!(again["copies"].as_u64() < first["copies"].as_u64(), "only what may have changed");

    let (_, stat) = json(&["stat", &desk.archive]);
    let (_, runs) = json(&["runs", &desk.archive]);
    let all = runs["runs"].as_array().unwrap().iter();
    let copies: u64 = all.map(|run| run["copies"].as_u64().unwrap_or(0)).sum();
    assert_eq!(stat["copies"].as_u64(), Some(copies), "of the run that only listed them, too");
    let (code, verified) = json(&["verify", &desk.archive, "--deep"]);
    assert_eq!((code, &verified["sound"]), (0, &Value::from(true)));
    let deactivated = run(&["account", "deactivate", &desk.archive, "--users"]);
    assert_eq!(deactivated.code, 0);
    assert!(desk.accounts(&["--active"]).iter().all(|account| {
        account["account"].as_str().is_some_and(|custodian| custodian.starts_with("team:"))
    }));
}

#[test]
fn reports_add_up_and_have_exactly_the_documented_fields() {
    let desk = desk();
    desk.activate_all();
    // What belongs to no account would come on top.
    let (_, made) = desk.synced(&["--feeds", FEEDS]);
    let help = |command: &[&str]| run(&[command, &["--help"]].concat()).out;
    let number = made["run"].as_u64().unwrap().to_string();
    let (code, kept) = json(&["runs", &desk.archive, "--run", &number]);
    assert_eq!((code, &kept), (0, &made), "the archive keeps the report");
    let sync_help = help(&["sync"]);
    assert_fields(&made, &[RUN, NUMBERS], &sync_help);
    assert!(NUMBERS.split_whitespace().all(|number| sync_help.contains(number)));
    let accounts = made["accounts"].as_array().unwrap();
    for account in accounts {
        assert_fields(account, &["account name outcome troubles", NUMBERS], &sync_help);
        assert_balances(account);
    }
    assert_balances(&made);
    for number in ["pages", "copies", "stored", "duplicates", "objects", "failures"] {
        let sum: u64 = accounts.iter().map(|account| account[number].as_u64().unwrap()).sum();
        assert_eq!(made[number].as_u64(), Some(sum), "{number}");
    }
    let ended = ["complete", "partial", "failed", "stopped"].map(|way| made[way].as_u64().unwrap());
    assert_eq!(ended.iter().sum::<u64>(), accounts.len() as u64);

    let runs_help = help(&["runs"]);
    let (_, runs) = json(&["runs", &desk.archive]);
    assert_fields(&runs, &["runs"], &runs_help);
    let newest = &runs["runs"][0];
    let of_list = "run label asked started ended outcome accounts incomplete";
    assert_fields(newest, &[of_list, NUMBERS], &runs_help);
    assert_eq!((&newest["run"], &newest["copies"]), (&made["run"], &made["copies"]));

    let list_help = help(&["account", "list"]);
    for account in desk.accounts(&["--active"]) {
        let fields = "account name address active deleted gone guest enabled licensed up_to feeds missing \
            last";
        assert_fields(&account, &[fields], &list_help);
        assert_fields(&account["last"], &["run ended outcome asked troubles", NUMBERS], &list_help);
        assert_eq!(account["last"]["run"], made["run"]);
    }
    for account in desk.accounts(&["--failed"]) {
        let trouble = &account["last"]["troubles"][0];
        assert_fields(trouble, &["what reason advice known"], &list_help);
    }
    let missing_help = help(&["account", "missing"]);
    let (_, missing) = json(&["account", "missing", &desk.archive]);
    assert_fields(&missing, &["missing entries"], &missing_help);
    let entries = missing["entries"].as_array().unwrap();
    assert_eq!(
        (missing["missing"].as_u64(), &made["missing"]),
        (Some(entries.len() as u64), &missing["missing"])
    );
    for entry in entries {
        let fields = "account conversation reply_to message content name reason status first last tries \
            given_up";
        assert_fields(entry, &[fields], &missing_help);
    }
    let test = desk.synced(&["--test"]).1;
    assert_fields(&test, &["good checks"], &sync_help);
    assert_fields(&test["checks"][0], &["what good seen advice"], &sync_help);
}

#[test]
fn what_people_read_has_all_accounts_and_short_lines() {
    let desk = desk();
    desk.activate_all();
    let ran = desk.sync(&[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("chatvault account missing"), "{}", ran.err);
    for line in ran.out.lines() {
        assert!(line.chars().count() <= 400, "{line}");
    }
    let list = run(&["account", "list", &desk.archive]);
    assert_eq!(list.out.lines().count(), 1 + desk.accounts(&[]).len(), "{}", list.out);
    let missing = run(&["account", "missing", &desk.archive]);
    assert!(missing.code == 0 && missing.out.contains("permission is missing"), "{}", missing.out);
    let runs = run(&["runs", &desk.archive]);
    assert_eq!((runs.code, runs.out.lines().count()), (0, 3), "{}", runs.out);
    let number = runs.out.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap();
    let full = run(&["runs", &desk.archive, "--run", number]);
    assert!(full.code == 0 && full.out.contains("\nbalance "), "{}", full.out);
    let complete = desk
        .accounts(&[])
        .into_iter()
        .find(|account| account["last"]["outcome"] == "complete" && account["missing"] == 0);
    let account = complete.unwrap()["account"].as_str().unwrap().to_owned();
    let one = desk.sync(&["--no-content", "--no-discover", "--account", &account]);
    assert!(one.code == 0 && !one.err.contains("error"), "{one:?}");
}

#[test]
fn what_cannot_work_is_told_in_a_line_with_what_to_fix() {
    let desk = desk();
    desk.activate_all();
    let wrong = secret_file("fake~8Q~another-secret");
    let wrong = wrong.path().to_str().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}");
    assert_told(
        &desk.sync_as("--client-secret-file", wrong, &[]),
        1,
        &["secret is wrong", "check"],
    );
    let stranger = "00000000-0000-0000-0000-000000000000";
    assert_told(&desk.sync_as("--client-id", stranger, &[]), 1, &["client id is wrong", "check"]);
    let once = ["--attempts", "1"];
    assert_told(&desk.sync_as("--login-url", &closed, &once), 1, &["no connection", "firewall"]);
    let other = FakeGraph::start(tenant(2), Behaviour::default()).unwrap();
    let other = desk.sync_as("--tenant", &other.tenant_id(), &[]);
    assert_told(&other, 1, &["belongs to tenant", "one tenant"]);
    let writer = Archive::open(Host::disk(Path::new(&desk.archive)), small()).unwrap();
    assert_told(&desk.sync(&[]), 1, &["locked", "another process is writing"]);
    let activate = run(&["account", "activate", &desk.archive, "--all"]);
    assert_told(&activate, 1, &["locked", "another process is writing"]);
    assert!(!desk.accounts(&[]).is_empty(), "reading goes on beside a writer");
    writer.close().unwrap();
    let nobody = run(&["account", "activate", &desk.archive, "nobody"]);
    let told = ["no account is called \"nobody\"", "account list"];
    assert_told(&nobody, 1, &told);
    assert_told(&desk.sync(&["--account", "nobody"]), 1, &told);
    assert_told(&run(&["runs", &desk.archive, "--run", "99"]), 2, &["no run 99"]);
    let deaf = desk.sync(&["--filter", "from/user/id eq 'x'"]);
    assert_told(&deaf, 2, &["channels cannot be filtered", "--feeds chats,retained-chats"]);
    let empty = desk.sync(&["--from", "2024-02", "--to", "2024-01"]);
    assert_told(&empty, 2, &["range of time is empty"]);
    let misspelt = desk.sync(&["--filter", "from/user/id eq 'x' orr messageType eq 'y'"]);
    assert!(misspelt.code == 2 && misspelt.err.contains("character 21"), "{misspelt:?}");
    let songs = desk.sync(&["--feeds", "chats,songs"]);
    assert!(songs.code == 2 && songs.err.contains("'songs'"), "{songs:?}");
    for open in [&["--client-secret", SECRET][..], &[&*format!("--client-secret={SECRET}")]] {
        assert_told(&desk.sync(open), 2, &["never an argument", "--client-secret-file"]);
    }
}

#[test]
fn a_permission_that_is_missing_is_named_and_the_rest_comes_in() {
    let desk = desk();
    desk.activate_all();
    desk.fake.set(without("Chat.Read.All"));
    let test = desk.sync(&["--test"]);
    let named = |line: &str| line.starts_with("FAIL") && line.contains("Chat.Read.All");
    assert!(test.code == 1 && test.out.lines().any(named), "{test:?}");
    let (code, run) = desk.synced(&[]);
    assert_eq!(code, 3);
    let told = run["troubles"].to_string();
    assert!(told.contains("\"chats\"") && told.contains("Chat.Read.All"), "{told}");
    for account in run["accounts"].as_array().unwrap() {
        let is_team = account["account"].as_str().unwrap().starts_with("team:");
        assert_eq!(account["copies"].as_u64() > Some(0), is_team, "{account}");
    }
    desk.fake.set(Behaviour::default());
    let (_, healed) = desk.synced(&[]);
    assert_eq!(healed["troubles"], Value::Array(Vec::new()));
    assert!(healed["stored"].as_u64() > Some(50), "chats come in as soon as they may: {healed}");
}

#[test]
fn a_certificate_signs_in_without_a_secret() {
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/../graph/src/testing/app.pem");
    let registered = String::from_utf8(files::read(Path::new(pem))).unwrap();
    let access = Access { certificate: Some(registered), ..Access::default() };
    let behaviour = Behaviour { access, ..Behaviour::default() };
    let fake = FakeGraph::start(tenant(3), behaviour).unwrap();
    let (origin, tenant) = (fake.origin(), fake.tenant_id());
    let test = || {
        run(&[
            &["sync", "--test", "--no-limits", "--cloud", "custom", "--login-url", &origin][..],
            &["--graph-url", &origin, "--tenant", &tenant, "--client-id", CLIENT_ID],
            &["--certificate", pem],
        ]
        .concat())
    };
    let good = test();
    assert!(good.code == 0 && good.out.starts_with("ok "), "{good:?}");
    fake.set(Behaviour::default());
    let stranger = test();
    assert!(stranger.code == 1 && stranger.out.contains("not registered"), "{stranger:?}");
}

#[test]
fn a_saved_connection_is_all_that_later_commands_need() {
    let desk = desk();
    desk.fake.set(Behaviour::default());
    let bare = run(&["sync", &desk.archive]);
    assert_told(&bare, 2, &["--tenant ID"]);
    let tested = desk.sync(&["--test", "--save"]);
    assert!(tested.code == 0 && tested.err.contains("saved the connection"), "{tested:?}");
    assert!(tested.err.contains(desk.secret.path().to_str().unwrap()), "{tested:?}");
    let first = run(&["sync", &desk.archive, "--no-limits"]);
    assert!(first.code == 0 && first.out.contains("finished"), "{first:?}");
    let estimate = run(&["sync", &desk.archive, "--no-limits", "--estimate"]);
    assert!(estimate.code == 0 && estimate.out.contains("copies of messages"), "{estimate:?}");
    let other = run(&["sync", &desk.archive, "--no-limits", "--tenant", "other"]);
    assert_told(&other, 1, &["belongs to tenant"]);
    desk.fake.set(without("Chat.Read.All"));
    let bad = desk.sync(&["--test", "--save"]);
    assert!(bad.code == 1 && !bad.err.contains("saved"), "{bad:?}");
}

#[test]
fn an_address_is_found_in_what_a_program_reads() {
    let desk = desk();
    desk.activate_all();
    let list = run(&["account", "list", &desk.archive]).out;
    for account in desk.accounts(&[]) {
        if let Some(address) = account["address"].as_str() {
            assert!(list.contains(address), "{address}: {list}");
        }
    }
}

#[test]
fn a_narrowed_run_says_of_what_it_is_complete() {
    let desk = desk();
    desk.activate_all();
    let filter = "from/user/userIdentityType eq 'federatedUser'";
    let (_, narrowed) = desk.synced(&["--no-content", "--feeds", "chats", "--filter", filter]);
    assert_eq!(narrowed["asked"]["filter"], filter);
    assert_eq!(narrowed["asked"]["feeds"], Value::from(vec!["chats"]));
    let (_, runs) = json(&["runs", &desk.archive]);
    assert_eq!(runs["runs"][0]["asked"], narrowed["asked"]);
    assert!(run(&["runs", &desk.archive]).out.contains("chats; filter from/user"));
    let list = run(&["account", "list", &desk.archive]).out;
    assert!(list.contains("chats; filter"), "{list}");
    for account in desk.accounts(&["--active"]) {
        assert!(account["up_to"].is_null(), "nothing is complete: {account}");
    }
    let range = ["--no-content", "--feeds", FEEDS, "--from", "2020-01-01", "--to", "2020-02-01"];
    let (code, ranged) = desk.synced(&range);
    assert_eq!((code, &ranged["copies"]), (0, &0.into()), "nothing is new, and nothing is wrong");
    assert_eq!(ranged["asked"]["to"], "2020-02-01T00:00:00Z");
    assert!(desk.accounts(&["--active"]).iter().all(|account| account["up_to"].is_null()));
    let (_, whole) = desk.synced(&["--no-content"]);
    assert!(whole["asked"]["filter"].is_null() && whole["copies"].as_u64() > Some(100));
    assert!(desk.accounts(&["--active"]).iter().any(|account| account["up_to"].is_string()));
}
