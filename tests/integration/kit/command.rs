//! The command line, run inside this process.

use serde_json::Value;

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `chatvault` with these arguments.
pub(crate) fn chatvault(arguments: &[&str]) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let line = ["chatvault"].iter().chain(arguments);
    let code = chatvault_cli::run(line, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code, out: text(out), err: text(err) }
}

/// The JSON object that a command prints with `--json`, and its exit code.
pub(crate) fn json(arguments: &[&str]) -> (u8, Value) {
    let ran = chatvault(&[arguments, &["--json"]].concat());
    assert_eq!(ran.out.lines().count(), 1, "{arguments:?}: {ran:?}");
    (ran.code, serde_json::from_str(&ran.out).unwrap())
}

/// The same of a command that must succeed.
pub(crate) fn done(arguments: &[&str]) -> Value {
    let (code, value) = json(arguments);
    assert_eq!(code, 0, "{arguments:?}: {value}");
    value
}
