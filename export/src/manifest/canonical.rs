//! Canonical JSON: keys sorted, no spaces, the shortest escapes.
//!
//! Equal to RFC 8785 for what is written here: ASCII keys, texts, whole numbers below 2^53.

use serde::Serialize;
use serde_json::Value;

/// The canonical JSON of a value.
///
/// # Errors
///
/// Only if the value cannot be JSON at all: a map whose keys are no texts.
pub fn canonical(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    put(&serde_json::to_value(value)?, &mut out)?;
    Ok(out)
}

/// Sorts by itself: the order of a JSON map depends on a feature that any crate can turn on.
fn put(value: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            out.push(b'{');
            for (number, (key, value)) in fields.into_iter().enumerate() {
                separate(number, out);
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                put(value, out)?;
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (number, item) in items.iter().enumerate() {
                separate(number, out);
                put(item, out)?;
            }
            out.push(b']');
        }
        scalar => serde_json::to_writer(out, scalar)?,
    }
    Ok(())
}

fn separate(number: usize, out: &mut Vec<u8>) {
    if number > 0 {
        out.push(b',');
    }
}
