//! Holds the fingerprints against an archive's answer to the same selection.

use super::{Answer, CheckReport, Problem};
use crate::digest::Digest;
use crate::error::Result;
use crate::manifest::{DigestText, Index};

/// Compares sums first, which no order changes; only if they differ are parts named, by what the
/// archive has in the places of their versions.
pub(crate) fn compare(index: &Index, answer: Answer<'_>, report: &mut CheckReport) -> Result<()> {
    let mut total = Digest::default();
    let mut different = Vec::new();
    for part in &index.parts {
        let mut digest = Digest::default();
        while digest.subjects() < part.digest.subjects {
            let Some(subject) = answer.next().transpose()? else { break };
            digest.add(&subject);
            total.add(&subject);
        }
        if DigestText::from(&digest) != part.digest {
            different.push((part, digest.subjects()));
        }
    }
    for subject in answer {
        total.add(&subject?);
    }
    let total = DigestText::from(&total);
    if total == index.digest {
        return Ok(());
    }
    if total.subject_sum == index.digest.subject_sum && total.subjects == index.digest.subjects {
        report.add(None, None, Problem::OtherOrder);
        return Ok(());
    }
    let problem = Problem::OtherSubjects { here: index.digest.subjects, archive: total.subjects };
    report.add(None, None, problem);
    // Behind a version too many or too few every part differs: the first one tells where.
    if let Some((part, archive)) = different.first() {
        let problem = Problem::OtherSubjects { here: part.digest.subjects, archive: *archive };
        report.add(Some(&part.name), None, problem);
    }
    Ok(())
}
