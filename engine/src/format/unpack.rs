//! Unpacking zstd with one context a thread: making a context costs more than most unpackings.

use std::cell::RefCell;

use zstd::zstd_safe::{DCtx, DDict, SafeResult, get_error_name};

use crate::error::{Error, Result};

thread_local! {
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Unpacks a frame that holds exactly `raw` bytes; `what` names it in the error.
pub(crate) fn unpack(
    packed: &[u8],
    raw: usize,
    dictionary: Option<&DDict<'_>>,
    what: &str,
) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(raw);
    let unpacked = CONTEXT.with_borrow_mut(|context| match dictionary {
        Some(dictionary) => context.decompress_using_ddict(&mut out, packed, dictionary),
        None => context.decompress(&mut out, packed),
    });
    checked(out, unpacked, raw, what)
}

fn checked(out: Vec<u8>, unpacked: SafeResult, raw: usize, what: &str) -> Result<Vec<u8>> {
    match unpacked {
        Ok(bytes) if bytes == raw => Ok(out),
        Ok(bytes) => Err(Error::corrupt(format!("{what} unpacks to {bytes} bytes, not {raw}"))),
        Err(code) => {
            let reason = get_error_name(code);
            Err(Error::corrupt(format!("{what} does not unpack: {reason}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_checked_both_ways() {
        let packed = zstd::bulk::compress(&[7; 1000], 3).unwrap();
        assert_eq!(unpack(&packed, 1000, None, "it").unwrap(), [7; 1000]);
        assert!(unpack(&packed, 999, None, "it").is_err());
        assert!(unpack(&packed, 1001, None, "it").is_err());
        assert!(unpack(b"no frame", 8, None, "it").is_err());
    }
}
