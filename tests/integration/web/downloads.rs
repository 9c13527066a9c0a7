//! Downloads: planned, made, stopped, resumed after a restart, checked: the files of `chatvault export`.

use super::kit::{Server, message};
use crate::kit::command::chatvault;

fn server(messages: u32) -> Server {
    let all: Vec<String> = (0..messages)
        .map(|at| message("19:a@thread.v2", at, "ada", &format!("<p>word{at}</p>")))
        .collect();
    Server::with(&all)
}

#[test]
fn the_last_days_are_filled_in_and_the_plan_comes_first() {
    let server = server(5);
    let form = server.page("/a/team/downloads/new");
    assert!(form.contains("id=\"from\" type=\"date\" name=\"from\" value=\"20"), "{form}");
    assert!(!form.contains("Generate download"));
    let plan = server.page_with("/a/team/downloads/new?plan=1&format=csv&all=1", "The plan</h2>");
    assert!(
        plan.contains("Generate download") && plan.contains("<dt>Messages</dt><dd>5</dd>"),
        "{plan}"
    );
    let none = "/a/team/downloads/new?plan=1&format=csv&from=2020-01-01&to=2020-01-02";
    let _page = server.page_with(none, "Nothing is selected");
    for (wrong, told) in [
        ("who=nobody", "no person is called"),
        ("zone=Mars", "The time zone is"),
        ("format=docx", "docx"),
        ("from=noon", "noon"),
    ] {
        let page = server.page(&format!("/a/team/downloads/new?plan=1&all=&{wrong}"));
        assert!(page.contains("role=\"alert\"") && page.contains(told), "{wrong}: {page}");
    }
}

#[test]
fn what_is_generated_is_what_the_plan_said() {
    let server = server(5);
    // The messages are older than the days that are filled in: whoever empties them means all.
    let asked = "/a/team/downloads/new?plan=1&format=csv&from=&to=";
    let plan = server.page_with(asked, "The plan</h2>");
    assert!(plan.contains("<dt>Messages</dt><dd>5</dd>"), "{plan}");
    let form = plan.split("<form method=\"post\"").nth(1).unwrap().split("</form>").next().unwrap();
    let part = |field: &'_ str, name: &str| {
        let rest = field.split(&format!("{name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let hidden = form.split("type=\"hidden\"").skip(1);
    let fields: Vec<(String, String)> =
        hidden.map(|field| (part(field, "name"), part(field, "value"))).collect();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .filter(|(name, _)| name != "key")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let page = server.done("/a/team/downloads", &fields);
    let made = server.page_with(&page, "Finished");
    assert!(made.contains("<dt>Messages</dt><dd>5</dd>"), "{made}");
}

#[test]
fn every_format_is_made_and_is_what_the_archive_gives() {
    let server = server(20);
    for format in ["html", "pdf", "eml", "mbox", "csv", "jsonl", "rsmf", "dat", "parquet"] {
        let page =
            server.done("/a/team/downloads", &[("format", format), ("all", "1"), ("plan", "1")]);
        let text = server.page_with(&page, "Finished");
        assert!(text.contains("<dt>Messages</dt><dd>20</dd>"), "{format}: {text}");
        assert_eq!(server.done(&format!("{page}/check"), &[]), page);
        let text = server.page_with(&page, "every byte is what the archive gives");
        let part = text.split("<a href=\"").find(|tag| tag.contains(".zip\" download")).unwrap();
        let part = server.get(part.split('"').next().unwrap());
        assert!(part.body.starts_with(b"PK"), "{format}");
        assert!(part.header("content-disposition").starts_with("attachment; "));
    }
    let list = server.page("/a/team/downloads");
    assert_eq!(list.matches("class=\"state good\">Finished").count(), 9, "{list}");
    let folder = server.folder.path().join("downloads");
    let one = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let archive = server.folder.path().join("team");
    let checked = chatvault(&["export", "check", one.to_str().unwrap(), archive.to_str().unwrap()]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn one_that_was_stopped_is_resumed_after_a_restart_to_the_same_bytes() {
    let server = server(400);
    let fields = [("format", "html"), ("all", "1"), ("plan", "1")];
    let page = server.done("/a/team/downloads", &fields);
    let _done = server.page_with(&page, "Finished");
    // As if it had been killed before its first part was finished.
    let folder = std::fs::read_dir(server.folder.path().join("downloads")).unwrap();
    let folder = folder.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let files = |folder: &std::path::Path| {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let zips = names.filter(|path| path.extension().is_some_and(|end| end == "zip"));
        let mut zips: Vec<_> = zips.map(|path| std::fs::read(path).unwrap()).collect();
        zips.sort();
        zips
    };
    let before = files(&folder);
    let zip = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    for path in zip.filter(|path| path.extension().is_some_and(|end| end == "zip")) {
        std::fs::remove_file(path).unwrap();
    }
    let index = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let index = index.into_iter().find(|path| path.to_str().unwrap().ends_with(".index.json"));
    let index = index.unwrap();
    let text = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&index, text.replace("\"finished\":true", "\"finished\":false")).unwrap();
    let server = server.restart();
    let stopped = server.page(&page);
    assert!(stopped.contains(">Stopped<") && stopped.contains("Resume"), "{stopped}");
    assert_eq!(server.done(&format!("{page}/resume"), &[]), page);
    let _done = server.page_with(&page, "Finished");
    assert_eq!(files(&folder), before);
}

#[test]
fn a_folder_of_the_command_line_is_listed_and_an_own_one_removed() {
    let server = server(3);
    let (archive, out) = (server.folder.path().join("team"), server.folder.path().join("case"));
    let (archive, out) = (archive.to_str().unwrap(), out.to_str().unwrap());
    let made = chatvault(&["export", archive, "--format", "csv", "--all", "--out", out]);
    assert_eq!(made.code, 0, "{made:?}");
    let list = server.done("/a/team/downloads/folders", &[("folder", out)]);
    let page = server.page(&list);
    assert!(page.contains("/downloads/%2B0/") && page.contains("Finished"), "{page}");
    let theirs = page.split("href=\"").find(|link| link.contains("%2B0")).unwrap();
    let theirs = theirs.split('"').next().unwrap().to_owned();
    assert_eq!(server.post(&format!("{theirs}/remove"), &[]).status, 400, "it is not ours");
    let own = server.done("/a/team/downloads", &[("format", "csv"), ("all", "1"), ("days", "7")]);
    let text = server.page_with(&own, "Finished");
    assert!(text.contains("removed on"), "{text}");
    assert_eq!(server.done(&format!("{own}/remove"), &[]), "/a/team/downloads");
    assert_eq!(server.get(&own).status, 404);
    assert_eq!(server.page("/a/team/downloads").matches(">Finished<").count(), 1);
}
