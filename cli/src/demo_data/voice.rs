//! What people say: sentence parts by language, put together by chance.

use std::sync::LazyLock;

use super::chance::Chance;

/// The parts of one language. A sentence is: opener, thing, news, and sometimes a closer.
#[derive(Debug)]
pub(super) struct Voice {
    openers: Vec<&'static str>,
    things: Vec<&'static str>,
    news: Vec<&'static str>,
    closers: Vec<&'static str>,
    short: Vec<&'static str>,
    /// Goes before what an edit adds.
    pub(super) edit: &'static str,
}

/// A language's section: its name in brackets, then a line for each list, with bars between.
const VOICES: &str = include_str!("voices.txt");

impl Voice {
    fn of(language: &str) -> Self {
        let mut sections = VOICES.split("\n\n");
        let section = sections.find(|section| section.starts_with(language)).unwrap_or_default();
        let line = |name: &str| {
            let mut lines = section.lines().filter_map(|line| line.split_once('='));
            lines.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
        };
        let list = |name| line(name).split('|').collect();
        Self {
            openers: list("openers"),
            things: list("things"),
            news: list("news"),
            closers: list("closers"),
            short: list("short"),
            edit: line("edit"),
        }
    }

    /// Something to say: now and then one word, mostly one sentence or two.
    pub(super) fn say(&self, chance: &mut Chance) -> String {
        if chance.one_in(4) {
            return (*chance.pick(&self.short)).to_owned();
        }
        let mut text = self.sentence(chance);
        while chance.one_in(4) {
            let (thing, news) = (*chance.pick(&self.things), *chance.pick(&self.news));
            text.extend([" ", &capital(thing), " ", news]);
        }
        text
    }

    pub(super) fn sentence(&self, chance: &mut Chance) -> String {
        let opener = chance.pick(&self.openers);
        let (thing, news) = (chance.pick(&self.things), chance.pick(&self.news));
        let subject = if opener.is_empty() || opener.ends_with(['!', '.', '?', '。']) {
            capital(thing)
        } else {
            (*thing).to_owned()
        };
        let words = format!("{opener} {subject} {news}");
        match chance.below(5) {
            0..=2 => format!("{} {}", words.trim_start(), chance.pick(&self.closers)),
            _ => words.trim_start().to_owned(),
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub(super) static ENGLISH: LazyLock<Voice> = LazyLock::new(|| Voice::of("[english]"));
pub(super) static GERMAN: LazyLock<Voice> = LazyLock::new(|| Voice::of("[german]"));
pub(super) static SPANISH: LazyLock<Voice> = LazyLock::new(|| Voice::of("[spanish]"));
pub(super) static FRENCH: LazyLock<Voice> = LazyLock::new(|| Voice::of("[french]"));
pub(super) static POLISH: LazyLock<Voice> = LazyLock::new(|| Voice::of("[polish]"));
pub(super) static PORTUGUESE: LazyLock<Voice> = LazyLock::new(|| Voice::of("[portuguese]"));
pub(super) static TURKISH: LazyLock<Voice> = LazyLock::new(|| Voice::of("[turkish]"));
pub(super) static JAPANESE: LazyLock<Voice> = LazyLock::new(|| Voice::of("[japanese]"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_much_to_say() {
        let all = [&ENGLISH, &GERMAN, &SPANISH, &FRENCH, &POLISH, &PORTUGUESE, &TURKISH, &JAPANESE];
        for voice in all {
            let Voice { openers, things, news, closers, short, edit } = &**voice;
            let lists = [openers, things, news, closers, short];
            assert!(lists.iter().all(|list| list.len() >= 5) && !edit.is_empty(), "{voice:?}");
        }
    }
}
