//! Options before a run, settled: what contradicts itself or cannot be asked is refused by name.

use chatvault_graph::{Feed, Filter};

use super::SyncError;
use super::options::SyncOptions;

/// The options with the filter's range of time as their own.
pub(super) fn settle(options: &SyncOptions) -> Result<SyncOptions, SyncError> {
    let mut settled = options.clone();
    if options.feeds.is_empty() {
        return refuse("no feed is chosen: name at least one");
    }
    if options.page_rows == 0 {
        return refuse("pages must have at least one row");
    }
    if let Some(filter) = &options.filter {
        for feed in &options.feeds {
            check_filter(*feed, filter, options)?;
        }
        if let Some((_, window)) = filter.range() {
            if options.range.is_some() {
                return refuse("the filter has a range of time of its own: say it once");
            }
            settled.range = Some(window.half_opened());
            settled.filter = Some(filter.without_range()).filter(|filter| !filter.is_empty());
        }
    }
    if !options.app_classes.is_empty() && !options.feeds.contains(&Feed::Copilot) {
        return refuse("app classes are of the feed copilot, which is not chosen");
    }
    let Some((from, to)) = settled.range else { return Ok(settled) };
    if from >= to {
        return refuse("the range of time is empty: its end is not behind its start");
    }
    match options.feeds.iter().find(|feed| !feed.windowed()) {
        Some(delta) => refuse(&format!("{delta} goes on from a link and takes no range of time")),
        None => Ok(settled),
    }
}

/// A filter that a feed does not know would leave nothing out there, without a word.
fn check_filter(feed: Feed, filter: &Filter, options: &SyncOptions) -> Result<(), SyncError> {
    if let Some((field, _)) = filter.range()
        && feed.time_field() != Some(field)
    {
        let field = field.name();
        return refuse(&format!(
            "{feed} knows no {field} in a filter: give the range as such (--from, --to)"
        ));
    }
    let wanted = filter.without_range();
    if feed.part_of(&wanted) == wanted {
        return Ok(());
    }
    let knows = |feed: &&Feed| feed.part_of(&wanted) == wanted;
    let others: Vec<&str> = options.feeds.iter().filter(knows).map(|feed| feed.name()).collect();
    let advice = match &others[..] {
        [] => "ask it without the filter".to_owned(),
        others => format!("leave it out (--feeds {})", others.join(",")),
    };
    refuse(&format!("{feed} cannot be filtered by {wanted}: {advice}"))
}

fn refuse<T>(why: &str) -> Result<T, SyncError> {
    Err(SyncError::Input(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use chatvault_engine::Timestamp;

    use super::*;

    fn settled(feeds: &[Feed], filter: &str) -> Result<SyncOptions, SyncError> {
        let filter = (!filter.is_empty()).then(|| filter.parse().unwrap());
        settle(&SyncOptions { feeds: feeds.to_vec(), filter, ..SyncOptions::new("") })
    }

    fn refused(feeds: &[Feed], filter: &str) -> String {
        settled(feeds, filter).unwrap_err().to_string()
    }

    const USER: &str = "from/user/id eq 'u'";
    const RANGE: &str = "lastModifiedDateTime gt 2024-01-01T00:00:00Z and \
                         lastModifiedDateTime lt 2024-02-01T00:00:00Z";

    #[test]
    fn a_filter_that_a_feed_does_not_know_is_refused_by_name() {
        let told = refused(&[Feed::Channels], USER);
        assert!(
            told.starts_with("channels cannot be filtered by from/user/id eq 'u': ask"),
            "{told}"
        );
        let told = refused(&[Feed::Chats, Feed::RetainedChats, Feed::Channels], USER);
        assert!(told.ends_with("leave it out (--feeds chats,retained-chats)"), "{told}");
        for feed in [Feed::ChatsDelta, Feed::Recordings, Feed::Copilot, Feed::Targeted] {
            assert!(refused(&[feed], USER).starts_with(feed.name()), "{feed}");
        }
        assert!(settled(&[Feed::Chats], USER).is_ok());
        assert!(settled(&[Feed::Copilot], "appClass eq 'x'").is_ok());
        let no_copilot = SyncOptions { app_classes: vec!["x".to_owned()], ..SyncOptions::new("") };
        assert!(settle(&no_copilot).unwrap_err().to_string().contains("copilot"));
    }

    #[test]
    fn the_range_of_a_filter_is_the_range_of_the_run() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let options = settled(&[Feed::Chats, Feed::Channels], RANGE).unwrap();
        // The service's bounds are exclusive.
        let range = (at("2024-01-01T00:00:00.001Z"), at("2024-02-01T00:00:00Z"));
        assert_eq!((options.range, options.filter), (Some(range), None));
        let both = settled(&[Feed::Chats], &format!("({USER}) and ({RANGE})")).unwrap();
        assert_eq!((both.range, both.filter), (Some(range), USER.parse().ok()));
        let told = refused(&[Feed::Copilot], RANGE);
        assert!(told.starts_with("copilot knows no lastModifiedDateTime"), "{told}");
        assert!(refused(&[Feed::Recordings], RANGE).contains("--from"));
        assert!(refused(&[Feed::ChatsDelta], RANGE).contains("takes no range"));
        let twice = SyncOptions { range: Some(range), filter: RANGE.parse().ok(), ..options };
        assert!(settle(&twice).unwrap_err().to_string().contains("say it once"));
        let empty = SyncOptions { range: Some((range.1, range.0)), ..SyncOptions::new("") };
        assert!(settle(&empty).unwrap_err().to_string().contains("empty"));
    }
}
