//! What is sent after the headers, step by step, so that it can be slow, endless or end too early.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use tokio::time::Sleep;

use super::service::Service;
use crate::tenant::fill;

/// Bytes made at once of what is not stored.
const PIECE_BYTES: u64 = 64 << 10;

/// One step of sending a body.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// These bytes.
    Bytes(Bytes),
    /// Bytes that a seed decides, from one offset up to before another.
    Made { seed: u64, from: u64, to: u64 },
    /// The same bytes so many times.
    Again { bytes: Bytes, times: u64 },
    /// Nothing for a while.
    Wait(Duration),
    /// The connection ends here.
    Cut,
}

impl Step {
    fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Made { from, to, .. } => to.saturating_sub(*from),
            Self::Again { bytes, times } => bytes.len() as u64 * times,
            Self::Wait(_) | Self::Cut => 0,
        }
    }

    /// The step up to `at` bytes, and what is left of it.
    fn split(self, at: u64) -> (Self, Self) {
        match self {
            Self::Bytes(mut bytes) => {
                let rest = bytes.split_off(usize::try_from(at).unwrap_or(0).min(bytes.len()));
                (Self::Bytes(bytes), Self::Bytes(rest))
            }
            Self::Made { seed, from, to } => {
                let middle = (from + at).min(to);
                (Self::Made { seed, from, to: middle }, Self::Made { seed, from: middle, to })
            }
            Self::Again { bytes, times } => {
                let first = (at / (bytes.len() as u64).max(1)).min(times);
                let rest = Self::Again { bytes: bytes.clone(), times: times - first };
                (Self::Again { bytes, times: first }, rest)
            }
            other => (other, Self::Bytes(Bytes::new())),
        }
    }
}

/// All that is sent of a body.
pub(crate) fn length(steps: &[Step]) -> u64 {
    steps.iter().map(Step::bytes).sum()
}

/// Lets something happen after `at` bytes; what comes behind it is still there.
pub(crate) fn interrupt(steps: Vec<Step>, at: u64, with: &[Step]) -> Vec<Step> {
    let mut out = Vec::with_capacity(steps.len() + with.len() + 1);
    let mut left = Some(at);
    for step in steps {
        let bytes = step.bytes();
        match left {
            Some(before) if bytes >= before => {
                let (head, tail) = step.split(before);
                out.push(head);
                out.extend_from_slice(with);
                out.push(tail);
                left = None;
            }
            _ => {
                left = left.map(|before| before - bytes);
                out.push(step);
            }
        }
    }
    out
}

/// A body under way. While it lives, its request counts as in flight.
pub(crate) struct Body {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    sent: u64,
    service: Option<Arc<Service>>,
}

impl Body {
    /// A body whose request counts until it is dropped.
    pub(crate) fn new(steps: Vec<Step>, service: Arc<Service>) -> Self {
        Self { steps: steps.into(), sleep: None, sent: 0, service: Some(service) }
    }

    /// The next bytes to send; `None` when a wait or a cut is next, or nothing is left.
    fn next_bytes(&mut self) -> Option<Bytes> {
        match self.steps.front_mut()? {
            Step::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                drop(self.steps.pop_front());
                Some(bytes)
            }
            Step::Made { seed, from, to } => {
                let length = PIECE_BYTES.min(to.saturating_sub(*from));
                let mut piece = vec![0; usize::try_from(length).unwrap_or(0)];
                fill(*seed, *from, &mut piece);
                *from += length;
                if *from >= *to {
                    drop(self.steps.pop_front());
                }
                Some(Bytes::from(piece))
            }
            Step::Again { bytes, times } => {
                let piece = bytes.clone();
                *times = times.saturating_sub(1);
                if *times == 0 {
                    drop(self.steps.pop_front());
                }
                Some(piece)
            }
            Step::Wait(_) | Step::Cut => None,
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(service) = self.service.take() {
            service.note(|seen| seen.leave(self.sent));
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let body = self.get_mut();
        loop {
            if let Some(sleep) = &mut body.sleep {
                std::task::ready!(sleep.as_mut().poll(context));
                body.sleep = None;
            }
            match body.steps.front() {
                None => return Poll::Ready(None),
                Some(Step::Cut) => return Poll::Ready(Some(Err(CutOff))),
                Some(Step::Wait(time)) => {
                    body.sleep = Some(Box::pin(tokio::time::sleep(*time)));
                    drop(body.steps.pop_front());
                }
                Some(_) => {
                    let bytes = body.next_bytes().unwrap_or_default();
                    if !bytes.is_empty() {
                        body.sent += bytes.len() as u64;
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
            }
        }
    }
}

/// The connection is to end here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the connection was cut on purpose")
    }
}

impl std::error::Error for CutOff {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_stands_where_it_was_put() {
        let bytes = |text: &'static str| Step::Bytes(Bytes::from_static(text.as_bytes()));
        let steps = vec![bytes("abc"), Step::Made { seed: 1, from: 10, to: 30 }];
        assert_eq!(length(&steps), 23);
        let text = |at| format!("{:?}", interrupt(steps.clone(), at, &[Step::Cut]));
        assert!(text(1).starts_with("[Bytes(b\"a\"), Cut, Bytes(b\"bc\"), Made"), "{}", text(1));
        assert!(
            text(8).contains("from: 10, to: 15 }, Cut, Made { seed: 1, from: 15, to: 30"),
            "{}",
            text(8)
        );
        assert_eq!(length(&interrupt(steps.clone(), 23, &[Step::Cut])), 23);
    }
}
