//! Full-text search: the command line, other processes, power cuts, and storage that fails.

use std::path::Path;
use std::sync::Arc;

use chatvault_engine::{Archive, Custodian, Host, Memory, Snapshot, Storage};
use chatvault_query::search::Index;
use chatvault_query::{Query, Versions};
use chatvault_support::generate::JsonLines;
use chatvault_support::storage::{Faulty, Operation, Survival, Volatile};
use chatvault_support::{Draft, Random};
use serde_json::Value;

use crate::kit::command::{chatvault, done};
use crate::kit::{Vault, ada, ben, files, go_on, seeds, small};

const AT: i64 = 1_700_000_000_000;
const WORDS: [&str; 8] =
    ["budget", "offer", "letter", "会议室", "Résumé", "👍🏽", "report.pdf", "pay"];

/// What a query prints, a line each.
fn lines(archive: &str, options: &[&str]) -> Vec<String> {
    let ran = chatvault(&[&["query", archive], options].concat());
    assert_eq!(ran.code, 0, "{options:?}: {ran:?}");
    ran.out.lines().map(str::to_owned).collect()
}

fn count(archive: &str, search: &str, options: &[&str]) -> u64 {
    let found = done(&[&["query", archive, "--count", "--search", search], options].concat());
    found["count"].as_u64().unwrap()
}

fn import(archive: &str, folder: &Path, custodian: &str, documents: &[String]) {
    let file = folder.join(format!("{custodian}{}.jsonl", documents.len()));
    files::write(&file, JsonLines::of(documents.iter().map(String::as_bytes)).bytes());
    let ran = chatvault(&["import", archive, "--custodian", custodian, file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn the_command_line_builds_an_index_and_finds_words_with_every_other_condition() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.cvault").to_str().unwrap().to_owned();
    assert_eq!(chatvault(&["init", &archive]).code, 0);
    let first = Draft::chat("19:a", AT).from_user("ada", "Ada").text("The offer letter, budget 5");
    let documents = [
        first.json(),
        first.clone().edited(AT + 9_000, "The tea letter").json(),
        Draft::chat("19:a", AT + 1)
            .from_user("ben", "Ben")
            .html("<p>OFFER <b>let</b>ters</p>")
            .json(),
        Draft::chat("19:b", AT + 2).from_user("ben", "Ben").text("明天在会议室 👍🏽").json(),
    ];
    import(&archive, folder.path(), "ada", &documents);

    let every = ["--versions", "all", "--sender", "ada"];
    assert_eq!(count(&archive, "offer", &every), 1, "a small archive is read");
    let wrong = chatvault(&["query", &archive, "--search", "(offer"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("character 7: expected a closing bracket"), "{}", wrong.err);

    let built = done(&["index", &archive]);
    assert_eq!((&built["finished"], &built["added"]), (&Value::Bool(true), &4.into()), "{built}");
    assert!(built["bytes"].as_u64() > Some(0) && built["rebuilt"].is_null(), "{built}");
    assert_eq!(lines(&archive, &["--search", "offer"]), [documents[2].clone()], "latest versions");
    let all = ["--search", "\"offer let*\"", "--versions", "all", "--order", "created"];
    assert_eq!(lines(&archive, &all), [documents[0].clone(), documents[2].clone()]);
    assert_eq!(count(&archive, "offer", &["--versions", "all", "--sender", "ada"]), 1);
    assert_eq!(count(&archive, "会议 👍", &[]), 1);
    assert_eq!(count(&archive, "letter -tea", &[]), 0);
    assert_eq!(count(&archive, "-tea", &[]), 2);
    assert_eq!(count(&archive, "offer", &["--filter", "from/user/id eq 'ada'"]), 0);
    let groups = done(&["query", &archive, "--search", "offer OR tea", "--count-by", "sender"]);
    assert_eq!(groups["total"], 2, "{groups}");
    let plan = done(&["query", &archive, "--search", "offer", "--explain"]);
    let last = plan["lines"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(last.starts_with("search: the words of 2 rows of its index"), "{last}");
    check_later(&archive, folder.path());
}

/// What arrives later is found at once; another custodian has another latest version.
fn check_later(archive: &str, folder: &Path) {
    let old = Draft::chat("19:a", AT).from_user("ada", "Ada").text("The offer letter, budget 5");
    let new = Draft::chat("19:c", AT + 7).from_user("cyd", "Cyd").text("budget offer");
    import(archive, folder, "ben", &[old.json(), new.json()]);
    assert_eq!(count(archive, "budget", &[]), 1);
    assert_eq!(count(archive, "budget", &["--custodian", "ben"]), 2);
    assert_eq!(count(archive, "budget", &["--custodian", "ada"]), 0);
    let again = done(&["index", archive]);
    assert_eq!((&again["added"], &again["rows"]), (&1.into(), &5.into()), "{again}");
    assert_eq!(count(archive, "budget", &["--custodian", "ben"]), 2);
    let people = chatvault(&["index", archive]);
    assert!(people.code == 0 && people.out.contains("added         0 rows"), "{people:?}");
    assert_eq!(done(&["verify", archive, "--deep"])["damages"], Value::Array(Vec::new()));
    assert_eq!(done(&["index", archive, "--drop"])["dropped"], true);
    assert_eq!(done(&["index", archive, "--drop"])["dropped"], false);
    assert_eq!(count(archive, "budget", &["--custodian", "ben"]), 2, "a small archive is read");
    let nowhere = chatvault(&["index", folder.join("none").to_str().unwrap()]);
    assert!(nowhere.code == 1 && files::is_missing(&folder.join("none")), "{nowhere:?}");
}

/// An archive is put back from a copy, and its index is not: other messages take the lost numbers.
#[test]
fn an_index_of_another_past_is_refused_by_queries_and_built_anew_by_index() {
    for words in [&["zebratwo"][..], &["zebratwo", "zebrathree"]] {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let path = |name: &str| place(name).to_str().unwrap().to_owned();
        let text = |word: &str| {
            let chat = format!("19:{word}");
            Draft::chat(&chat, AT).text(word).json()
        };
        assert_eq!(chatvault(&["init", &path("lost")]).code, 0);
        import(&path("lost"), folder.path(), "ada", &[text("first")]);
        files::copy_folder(&place("lost"), &place("restored"));
        import(&path("lost"), folder.path(), "ben", &[text("zebraone")]);
        assert_eq!(done(&["index", &path("lost")])["added"], 2);
        files::copy_folder(&place("lost").join("search"), &place("restored").join("search"));
        let documents: Vec<String> = words.iter().map(|word| text(word)).collect();
        import(&path("restored"), folder.path(), "ben", &documents);

        let archive = path("restored");
        for how in [&["--count"][..], &["--count-by", "kind"], &["--explain"], &[]] {
            let asked = [&["query", &archive, "--search", "zebratwo"][..], how].concat();
            let refused = chatvault(&asked);
            assert_eq!((refused.code, &*refused.out), (1, ""), "{refused:?}");
            assert!(refused.err.contains("of another past of this archive"), "{refused:?}");
            assert!(refused.err.contains(&format!("chatvault index {archive}")), "{refused:?}");
        }
        let built = done(&["index", &archive]);
        let reason = built["rebuilt"].as_str().unwrap();
        assert!(reason.contains("of another past of this archive"), "{built}");
        assert_eq!(count(&archive, "zebratwo", &[]), 1);
        assert_eq!(count(&archive, "zebraone", &[]), 0);
    }
}

/// Messages of some words, some of them edited.
fn fill(vault: &mut Vault, random: &mut Random, rows: usize) {
    let copies: Vec<(Custodian, Vec<u8>)> = (0..rows)
        .map(|_| {
            let at = AT + i64::try_from(random.below(500)).unwrap() * 1_000;
            let words: Vec<&str> = (0..random.below(6)).map(|_| random.word(&WORDS)).collect();
            let draft =
                Draft::chat(random.word(&["19:a", "19:b", "19:c"]), at).text(&words.join(" "));
            let draft = if random.chance(20) { draft.modified(at + 5_000) } else { draft };
            let custodian = if random.chance(50) { ada() } else { ben() };
            (custodian, draft.json().into_bytes())
        })
        .collect();
    drop(vault.commit(&copies));
}

const SEARCHES: [&str; 8] = [
    "budget",
    "\"offer letter\"",
    "let*",
    "议室",
    "resume -budget",
    "report.pdf OR pay",
    "👍",
    "-offer",
];

/// Every answer with the index is the one without it.
fn check_answers(storage: &Arc<dyn Storage>, archive: &Archive) -> u64 {
    let index = Index::open(storage, archive).unwrap().unwrap();
    check_answers_of(&index, &archive.snapshot().unwrap())
}

fn check_answers_of(index: &Index, snapshot: &Snapshot) -> u64 {
    let mut found = 0;
    for search in SEARCHES {
        for versions in [Versions::Latest, Versions::All] {
            let question = Query { search: Some(search.to_owned()), versions, ..Query::default() };
            let expected = question.count(snapshot).unwrap();
            let counted = question.count_with(snapshot, Some(index)).unwrap();
            assert_eq!(counted, expected, "{question:?}");
            found += expected;
        }
    }
    found
}

fn opened(storage: &Arc<dyn Storage>) -> Archive {
    Archive::open_read_only(Host::new(Arc::clone(storage)), small()).unwrap()
}

#[test]
fn an_update_survives_a_power_cut_at_any_moment() {
    for seed in seeds(12) {
        let random = &mut Random::new(seed.0);
        let disk = Volatile::new();
        let faulty = Faulty::over(disk.storage());
        let mut vault = Vault::create(faulty.storage());
        fill(&mut vault, random, 60);
        vault.archive().seal().unwrap();
        let snapshot = vault.archive().snapshot().unwrap();
        let first = Index::update(&vault.storage, &snapshot, &mut go_on).unwrap();
        assert!(first.finished && first.rebuilt.is_none());
        fill(&mut vault, random, 60);
        vault.archive().seal().unwrap();
        let snapshot = vault.archive().snapshot().unwrap();
        faulty.stop_after(random.below(90));
        let update = Index::update(&vault.storage, &snapshot, &mut go_on);
        let was_cut = faulty.has_stopped();
        assert!(was_cut || update.is_ok(), "{update:?}");
        let survival =
            if random.chance(50) { Survival::OnlySynced } else { Survival::Some(random.split()) };
        let after = disk.after_power_cut(survival).storage();
        let archive = opened(&after);
        assert!(check_answers(&after, &archive) > 0, "what was committed is there");
        let snapshot = archive.snapshot().unwrap();
        let again = Index::update(&after, &snapshot, &mut go_on).unwrap();
        assert!(again.finished && again.rebuilt.is_none(), "{again:?}");
        let index = Index::open(&after, &archive).unwrap().unwrap();
        assert_eq!(index.sequence(), snapshot.sequence());
        assert!(check_answers(&after, &archive) > 0);
    }
}

#[test]
fn a_storage_that_fails_leaves_the_archive_and_the_last_index_as_they_were() {
    for operation in Operation::CHANGING {
        for after in [0, 2, 7] {
            let random = &mut Random::new(after + 1);
            let faulty = Faulty::over(Arc::new(Memory::new()));
            let mut vault = Vault::create(faulty.storage());
            fill(&mut vault, random, 40);
            let snapshot = vault.archive().snapshot().unwrap();
            let first = Index::update(&vault.storage, &snapshot, &mut go_on).unwrap();
            fill(&mut vault, random, 40);
            let snapshot = vault.archive().snapshot().unwrap();
            faulty.fail_after(operation, after);
            let update = Index::update(&vault.storage, &snapshot, &mut go_on);
            if let Err(error) = &update {
                assert!(faulty.has_failed(operation) && !error.is_wrong_query(), "{error}");
            }
            // What has not failed by now shall not fail what follows.
            faulty.fail_after(operation, u64::MAX);
            assert!(check_answers(&vault.storage, vault.archive()) > 0, "{operation:?} {after}");
            // Commits never wait for the index, nor fail with it.
            fill(&mut vault, random, 10);
            vault.check();
            let snapshot = vault.archive().snapshot().unwrap();
            let last = Index::update(&vault.storage, &snapshot, &mut go_on).unwrap();
            assert!(last.finished && last.rows > first.rows, "{operation:?} {after}: {last:?}");
            assert!(check_answers(&vault.storage, vault.archive()) > 0);
        }
    }
}

#[test]
fn readers_search_while_a_writer_commits_and_an_index_is_updated() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let storage = Host::disk(&place).storage;
    let mut vault = Vault::create(Arc::clone(&storage));
    let random = &mut Random::new(11);
    fill(&mut vault, random, 50);
    let snapshot = vault.archive().snapshot().unwrap();
    assert!(Index::update(&storage, &snapshot, &mut go_on).unwrap().finished);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let own = Host::disk(&place).storage;
            let archive = opened(&own);
            (0..15).map(|_| check_answers(&own, &archive)).min().unwrap()
        });
        for _ in 0..10 {
            fill(&mut vault, random, 20);
            let snapshot = vault.archive().snapshot().unwrap();
            assert!(Index::update(&storage, &snapshot, &mut go_on).unwrap().finished);
        }
        assert!(reader.join().unwrap() > 0);
    });
    vault.verify();
}

#[test]
fn an_index_is_asked_about_snapshots_that_are_taken_after_it_was_opened() {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let mut vault = Vault::create(Arc::clone(&storage));
    let random = &mut Random::new(12);
    let mut further = |vault: &mut Vault| {
        fill(vault, random, 50);
        let snapshot = vault.archive().snapshot().unwrap();
        assert!(Index::update(&storage, &snapshot, &mut go_on).unwrap().finished);
        snapshot
    };
    let early = further(&mut vault);
    // A reader opens the index, and an update beside brings it further before he takes his snapshot.
    let reader = opened(&storage);
    let index = Index::open(&storage, &reader).unwrap().unwrap();
    let late = further(&mut vault);
    assert!(check_answers_of(&index, &early) < check_answers_of(&index, &late));
    assert!(check_answers_of(&index, &reader.snapshot().unwrap()) > 0);
    // The other way round the index may know more than the snapshot has.
    let index = Index::open(&storage, &reader).unwrap().unwrap();
    let question = Query { search: Some(SEARCHES[0].to_owned()), ..Query::default() };
    let error = question.count_with(&early, Some(&index)).unwrap_err();
    assert!(error.to_string().contains("commits that this archive does not have"), "{error}");
}

/// So many messages in chats of a hundred each, and an index of them. Each is about the budget; one
/// author in fifty is Ben, one message in five hundred has a rare word, and one in a hundred a file.
fn large(messages: i64) -> Arc<dyn Storage> {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let archive = Archive::create(Host::new(Arc::clone(&storage)), small()).unwrap();
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    for number in 0..messages {
        let chat = format!("19:{}", number % (messages / 100));
        let rare = if number % 500 == 7 { " and the zebra" } else { "" };
        let text = format!("the budget of week {number}{rare}");
        let (id, name) = if number % 50 == 9 { ("ben", "Ben") } else { ("ada", "Ada") };
        let draft = Draft::chat(&chat, AT + number * 1_000).from_user(id, name).text(&text);
        let draft = if number % 100 == 3 {
            draft.set("attachments", r#"[{"id":"1","contentType":"reference","name":"plan.pdf"}]"#)
        } else {
            draft
        };
        let record = chatvault_engine::RecordKind::Message;
        batch.offer(&ada(), record, draft.json().as_bytes(), crate::kit::ORIGIN);
    }
    assert_eq!(batch.commit().unwrap().counts.quarantined, 0);
    let snapshot = archive.snapshot().unwrap();
    assert!(Index::update(&storage, &snapshot, &mut go_on).unwrap().finished);
    archive.close().unwrap();
    storage
}

/// Blocks that are read and decoded for the latest hits of a question, and how many hits there are.
fn reads(storage: &Arc<dyn Storage>, question: &Query, most: usize) -> (u64, usize) {
    let archive = Archive::open(Host::new(Arc::clone(storage)), small()).unwrap();
    let index = Index::open(storage, &archive).unwrap().unwrap();
    let snapshot = archive.snapshot().unwrap();
    let order = chatvault_query::Order::Created;
    let latest = Query { order, reverse: true, ..question.clone() };
    let before = snapshot.cache_use().misses;
    let mut answer = latest.run_with(&snapshot, Some(&index)).unwrap();
    let mut found = 0;
    while found < most && answer.next().unwrap().is_some() {
        found += 1;
    }
    (snapshot.cache_use().misses - before, found)
}

#[test]
fn the_latest_hits_read_no_more_of_a_large_archive() {
    let (few, many) = (large(10_000), large(60_000));
    let words = |search: &str| Query { search: Some(search.to_owned()), ..Query::default() };
    let (ben, zed) = (vec!["ben".to_owned()], vec!["19:7".to_owned()]);
    let time = |text: &str| Some(text.to_owned());
    // What is common has its latest hits next to each other.
    for (is_common, name, question) in [
        (true, "a common word", words("budget")),
        (false, "a rare word", words("zebra")),
        (true, "a common start", words("b*")),
        (false, "a rare start", words("zeb*")),
        (true, "a phrase", words("\"of week\"")),
        (true, "not a word", words("-zebra")),
        (false, "a word and a person", Query { senders: ben.clone(), ..words("budget") }),
        (false, "a person", Query { senders: ben, ..Query::default() }),
        (false, "a word in a chat", Query { chats: zed, ..words("budget") }),
        (false, "a file", Query { has_file: true, ..Query::default() }),
        (false, "a word and a file", Query { has_file: true, ..words("budget") }),
        (false, "a range", Query { created_to: time("2023-11-15"), ..Query::default() }),
        (true, "everything", Query::default()),
    ] {
        let (blocks, found) = reads(&many, &question, 20);
        assert_eq!(found, 20, "{name}");
        // Hits may be in as many row groups: of each its keys, columns and text.
        assert!(blocks <= 20 * 8, "{name}: {blocks} blocks for 20 hits");
        if is_common {
            let (less, _) = reads(&few, &question, 20);
            assert!(blocks <= less * 2, "{name}: {blocks} blocks, {less} of a small archive");
        }
    }
    let ((page, _), (all, found)) =
        (reads(&many, &words("budget"), 20), reads(&many, &words("budget"), usize::MAX));
    assert_eq!(found, 60_000);
    assert!(all > page * 4, "all hits read {all} blocks, the latest {page}");
}
