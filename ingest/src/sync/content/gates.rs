//! What a failed download means for the ones to come.
//!
//! A permission that was never granted would cost a request for each of a million pictures, and a
//! network that is down minutes of retries for each. So a *kind* is closed for the run after some
//! refusals without a success, and the pass ends when nothing works at all. Neither loses
//! anything: a closed kind's position stays where it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chatvault_graph::{Failure, FailureKind};

use super::references::Kind;

/// Refusals in a row, before anything worked, that close a kind.
const REFUSALS: u32 = 20;
/// Failures of service or network in a row that end the pass.
const BREAKDOWNS: u32 = 16;

/// What to do about a failed download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Record it as missing. `lasting`: whoever asks for the same address would hear the same.
    Missing { lasting: bool },
    /// Record it as missing, and end the pass.
    MissingAndEnd,
    /// End the pass: it says nothing about this content.
    End,
}

#[derive(Debug, Default)]
pub(super) struct Gates {
    state: Mutex<State>,
}

/// Held for a moment.
#[derive(Debug, Default)]
struct State {
    gates: [Gate; Kind::ALL.len()],
    breakdowns: u32,
}

#[derive(Debug, Default)]
struct Gate {
    refusals: u32,
    worked: bool,
    closed: Option<Failure>,
}

impl Gates {
    pub(super) fn is_closed(&self, kind: Kind) -> bool {
        self.state().gates[kind as usize].closed.is_some()
    }

    /// What closed the kinds that are closed.
    pub(super) fn closed(&self) -> Vec<(Kind, Failure)> {
        let state = self.state();
        let closed = |kind: &Kind| Some((*kind, state.gates[*kind as usize].closed.clone()?));
        Kind::ALL.iter().filter_map(closed).collect()
    }

    pub(super) fn worked(&self, kind: Kind) {
        let mut state = self.state();
        state.breakdowns = 0;
        state.gates[kind as usize].worked = true;
    }

    pub(super) fn failed(&self, kind: Kind, failure: &Failure) -> Verdict {
        let mut state = self.state();
        match failure.kind {
            FailureKind::Credentials | FailureKind::Delegated | FailureKind::Local => Verdict::End,
            FailureKind::Network
            | FailureKind::Service
            | FailureKind::Throttled
            | FailureKind::TimedOut => {
                state.breakdowns += 1;
                let end = state.breakdowns >= BREAKDOWNS;
                if end { Verdict::MissingAndEnd } else { Verdict::Missing { lasting: false } }
            }
            FailureKind::Permission | FailureKind::Payment => {
                state.breakdowns = 0;
                let gate = &mut state.gates[kind as usize];
                gate.refusals += 1;
                if !gate.worked && gate.refusals >= REFUSALS && gate.closed.is_none() {
                    gate.closed = Some(failure.clone());
                }
                Verdict::Missing { lasting: true }
            }
            _ => {
                // The service answered: it is there.
                state.breakdowns = 0;
                Verdict::Missing { lasting: true }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind) -> Failure {
        let message = "as a test says".to_owned();
        Failure { kind, status: None, code: None, message, request_id: None, at: None }
    }

    #[test]
    fn a_kind_that_is_only_refused_is_closed_and_the_others_are_not() {
        let gates = Gates::default();
        let refusal = failure(FailureKind::Permission);
        for _ in 0..REFUSALS {
            assert!(!gates.is_closed(Kind::Files));
            assert_eq!(gates.failed(Kind::Files, &refusal), Verdict::Missing { lasting: true });
        }
        assert!(gates.is_closed(Kind::Files) && !gates.is_closed(Kind::Hosted));
        assert_eq!(gates.closed().len(), 1);
    }

    #[test]
    fn one_success_shows_that_the_permission_is_there() {
        let gates = Gates::default();
        gates.worked(Kind::Files);
        for _ in 0..REFUSALS * 2 {
            let _ = gates.failed(Kind::Files, &failure(FailureKind::Permission));
        }
        assert!(!gates.is_closed(Kind::Files));
    }

    #[test]
    fn breakdowns_in_a_row_end_the_pass_and_any_answer_starts_the_row_anew() {
        let gates = Gates::default();
        let row = |length: u32| {
            let network = failure(FailureKind::Network);
            (0..length).fold(None, |_, _| Some(gates.failed(Kind::Hosted, &network)))
        };
        assert_eq!(row(BREAKDOWNS - 1), Some(Verdict::Missing { lasting: false }));
        gates.worked(Kind::Meetings);
        assert_eq!(row(BREAKDOWNS - 1), Some(Verdict::Missing { lasting: false }));
        let _ = gates.failed(Kind::Hosted, &failure(FailureKind::NotFound));
        assert_eq!(row(BREAKDOWNS), Some(Verdict::MissingAndEnd));
    }

    #[test]
    fn bad_credentials_say_nothing_about_the_content() {
        let gates = Gates::default();
        let verdict = gates.failed(Kind::Hosted, &failure(FailureKind::Credentials));
        assert_eq!(verdict, Verdict::End);
    }
}
