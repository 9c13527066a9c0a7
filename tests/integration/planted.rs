//! Faults planted in the engine itself: each is found by a test that was there before.
//!
//! In a build of `.ci/planted` only. A fault is chosen for a whole process, so that each test runs in
//! a process of its own: without a fault it passes, with its fault it fails.

use std::process::{Command, Stdio};

const VARIABLE: &str = "CHATVAULT_PLANTED";

/// Faults, by what `planted!` calls them in the engine, and the test that finds each.
const FAULTS: [(&str, &str); 18] = [
    (
        "acknowledge before the sync",
        "simulate::a_crash_at_any_operation_leaves_what_was_acknowledged",
    ),
    ("believe a commit of another past", "moment::a_commit_of_another_past_is_refused_by_name"),
    (
        "believe any manifest",
        "proof::a_lost_newest_manifest_or_journal_file_is_noticed_at_every_step_of_a_life",
    ),
    (
        "believe names that are not durable",
        "proof::names_that_no_sync_made_durable_are_made_so_before_they_are_believed",
    ),
    (
        "bind an index to a number",
        "search::an_index_of_another_past_is_refused_by_queries_and_built_anew_by_index",
    ),
    (
        "call a variant a duplicate",
        "versions::of_equally_long_variants_the_smallest_address_is_shown",
    ),
    (
        "call what cannot be read a duplicate",
        "damage::a_copy_that_cannot_be_compared_is_stored_again_marked_and_counted",
    ),
    (
        "drop counts of refused copies",
        "write::the_same_refused_bytes_are_kept_once_and_counted_for_everybody",
    ),
    ("empty the trash at once", "proof::a_clock_that_jumps_ahead_does_not_empty_the_trash_at_once"),
    (
        "fall back to an older manifest",
        "corrupt::a_flipped_bit_in_any_authoritative_file_is_told_with_its_file",
    ),
    ("go on after a failed sync", "faults::a_failed_sync_stops_the_writer_for_good"),
    (
        "lose sightings in a merge",
        "arrival::sightings_that_come_while_segments_are_merged_are_kept",
    ),
    (
        "reuse a sequence",
        "proof::a_reader_does_not_show_a_commit_whose_sync_failed_and_its_number_is_not_used_again",
    ),
    (
        "show unsynced commits",
        "proof::a_reader_does_not_show_a_commit_whose_sync_failed_and_its_number_is_not_used_again",
    ),
    ("take damage for the end", "proof::damage_in_the_journal_is_found_by_a_reader_too"),
    (
        "tell sightings of now",
        "arrival::what_a_custodian_delivered_is_asked_as_of_a_commit_and_since_one",
    ),
    ("trust a stale catalog", "catalog::a_catalog_of_another_past_is_noticed"),
    (
        "write blindly",
        "proof::a_writer_whose_archive_was_moved_stops_and_leaves_the_next_one_alone",
    ),
];

/// Runs one test in another process; `None` if there is none of that name.
fn passes(test: &str, fault: Option<&str>) -> Option<bool> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let _ = command.args(["--exact", test, "--test-threads=1"]).stderr(Stdio::null());
    let _ = command.env_remove(VARIABLE).envs(fault.map(|fault| (VARIABLE, fault)));
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    told.contains("running 1 test").then(|| output.status.success())
}

#[test]
fn each_planted_fault_is_found_by_its_test() {
    let mut wrong = Vec::new();
    for (fault, test) in FAULTS {
        let (sound, planted) = (passes(test, None), passes(test, Some(fault)));
        println!("{fault}: {test}: {}", if planted == Some(false) { "found" } else { "NOT FOUND" });
        if (sound, planted) != (Some(true), Some(false)) {
            wrong.push((fault, sound, planted));
        }
    }
    assert_eq!(wrong, [], "fault, did its test pass without it and with it");
}

#[test]
fn every_planted_fault_stands_in_the_document() {
    let document = include_str!("../../RELIABILITY.md");
    for (fault, test) in FAULTS {
        let row = format!("| {fault} | `{test}` |");
        assert!(document.contains(&row), "RELIABILITY.md should have the row {row}");
    }
}
