//! What people write: made-up sentences with the characters that real ones have.

use chatvault_support::Random;

pub(super) const FIRST: [&str; 24] = [
    "Amina", "Bjørn", "Chloé", "Dara", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kamala",
    "Lev", "Mireille", "Nadia", "Oskar", "Pilar", "Quentin", "Rosa", "Sunniva", "Tariq", "Uma",
    "Viktor", "Wen", "Zoë",
];
pub(super) const LAST: [&str; 20] = [
    "Abadi",
    "Brøgger",
    "Castellanos",
    "Dvořák",
    "Eriksen",
    "Fontaine",
    "Grünwald",
    "Haddad",
    "Iyer",
    "Jansen",
    "Kovács",
    "Lindqvist",
    "Mbeki",
    "Nowak",
    "O'Hara",
    "Petrov",
    "Quiroga",
    "Rossi",
    "Szabó",
    "Takahashi",
];
const OPENINGS: [&str; 12] = [
    "Could you look at",
    "I have finished",
    "We still need",
    "Please do not forget",
    "Who takes care of",
    "Nobody answered about",
    "Here is",
    "The customer asked for",
    "Let us talk about",
    "Quick question on",
    "I moved",
    "Danke für",
];
const THINGS: [&str; 16] = [
    "the offer",
    "the test report",
    "the floor plan",
    "invoice #4711",
    "the new sensor",
    "the travel budget",
    "slide 7",
    "the backup window",
    "C:\\jobs\\nightly",
    "the \"blue\" draft",
    "ticket A/B-12",
    "the résumé",
    "資料",
    "the SLA (99.9%)",
    "Q3 <numbers>",
    "row 3 & 4",
];
const ENDINGS: [&str; 14] = [
    "before noon?",
    "by Friday.",
    "today, if you can.",
    "– no hurry.",
    "and tell Rosa.",
    "once the build is green.",
    "after lunch 🥪",
    "again 🙈",
    "as agreed.",
    "bitte!",
    "with the numbers\nof last week.",
    "\u{a0}:-)",
    "soon\u{200b}ish.",
    "👩‍💻 thanks!",
];
pub(super) const TOPICS: [&str; 12] = [
    "Harbour",
    "Lighthouse",
    "Night shift",
    "Facilities",
    "Release 12",
    "Onboarding",
    "Kantine",
    "Field tests",
    "Pricing",
    "Audit",
    "Website",
    "Offsite",
];

/// One sentence.
pub(super) fn sentence(random: &mut Random) -> String {
    let parts = [random.word(&OPENINGS), random.word(&THINGS), random.word(&ENDINGS)];
    parts.join(" ")
}

/// A few sentences; now and then very many.
pub(super) fn passage(random: &mut Random) -> String {
    let many = if random.below(200) == 0 { 60 } else { 1 + random.below(3) };
    let sentences: Vec<String> = (0..many).map(|_| sentence(random)).collect();
    sentences.join(" ")
}

/// Text as it stands in HTML.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('\u{a0}', "&nbsp;").replace('\n', "<br>\n")
}

/// 32 hexadecimal digits.
pub(super) fn hex(random: &mut Random) -> String {
    format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
}
