//! Just enough of Rust's grammar to find functions: comments and literals blanked, braces matched.

/// A function with a body, found in blanked code.
#[derive(Debug)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    /// The line of its `fn`, counted from 1.
    pub(super) line: usize,
    /// From `fn` to the closing brace.
    pub(super) text: &'a str,
    /// Whether `#[test]` stands before it.
    pub(super) is_test: bool,
}

/// The same text with every comment and every string and character literal made of spaces.
/// Line breaks stay where they are.
pub(super) fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = out.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let skipped = if word { plain_string(rest) } else { literal(rest) };
        match skipped.max(comment(rest)) {
            0 => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
            length => {
                let (gone, behind) = rest.split_at(length);
                out.extend(gone.chars().map(|each| if each == '\n' { '\n' } else { ' ' }));
                rest = behind;
            }
        }
    }
    out
}

/// The length of the comment that `text` starts with, or 0.
fn comment(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if !text.starts_with("/*") {
        return 0;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        match (here.starts_with(b"/*"), here.starts_with(b"*/")) {
            (true, _) => depth += 1,
            (_, true) => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the string or character literal that `text` starts with, prefix and all, or 0.
fn literal(text: &str) -> usize {
    let unprefixed = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - unprefixed.len();
    if prefix <= 1
        && let Some(raw) = unprefixed.strip_prefix('r')
    {
        let opened = raw.trim_start_matches('#');
        let hashes = &raw[..raw.len() - opened.len()];
        if let Some(body) = opened.strip_prefix('"') {
            let close = format!("\"{hashes}");
            let end = body.find(&close).map_or(body.len(), |at| at + close.len());
            return text.len() - body.len() + end;
        }
    }
    match plain_string(unprefixed).max(character(unprefixed)) {
        length if length > 0 && prefix <= 1 => prefix + length,
        _ => 0,
    }
}

fn plain_string(text: &str) -> usize {
    let Some(body) = text.strip_prefix('"') else { return 0 };
    let mut escaped = false;
    for (at, each) in body.char_indices() {
        match each {
            '"' if !escaped => return at + 2,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A character, told from a lifetime by its closing quote.
fn character(text: &str) -> usize {
    let Some(body) = text.strip_prefix('\'') else { return 0 };
    if let Some(escape) = body.strip_prefix('\\') {
        // The escaped character itself may be a quote.
        let behind = escape.chars().next().map_or(0, char::len_utf8);
        let close = escape.get(behind..).and_then(|left| left.find('\''));
        return close.map_or(0, |at| 2 + behind + at + 1);
    }
    let mut letters = body.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), Some('\'')) => letter.len_utf8() + 2,
        _ => 0,
    }
}

/// All functions with a body, inner ones too.
pub(super) fn functions(code: &str) -> Vec<Function<'_>> {
    let starts = code.match_indices("fn ").map(|(at, _)| at);
    starts.filter(|&at| is_word_start(code, at)).filter_map(|at| function(code, at)).collect()
}

pub(super) fn is_word_start(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_')
}

fn function(code: &str, at: usize) -> Option<Function<'_>> {
    let signature = &code[at..];
    let name = signature[3..].split(|each: char| !each.is_alphanumeric() && each != '_').next()?;
    // A semicolon first: a declaration without a body. One inside brackets is an array's type.
    let mut depth = 0_i32;
    let open = signature.char_indices().find(|(_, each)| {
        match each {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        depth == 0 && (*each == '{' || *each == ';')
    });
    let (open, '{') = open? else { return None };
    let text = &signature[..open + closing(&signature[open..], '{', '}')?];
    let line = code[..at].matches('\n').count() + 1;
    let attributes = code[..at].rsplit([';', '{', '}']).next().unwrap_or_default();
    Some(Function { name, line, text, is_test: attributes.contains("#[test]") })
}

/// Where the bracket that `code` starts with is closed, its end included.
pub(super) fn closing(code: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, each) in code.char_indices() {
        if each == open {
            depth += 1;
        } else if each == close {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at + close.len_utf8());
            }
        }
    }
    None
}

#[test]
fn literals_and_comments_are_blanked_and_nothing_else() {
    let cases = [
        ("a /* b /* c */ d */ e // f\ng", "a                   e     \ng"),
        (r#"x("\" }", 'a', '\'', '{')"#, "x(      ,    ,     ,    )"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("r#\"{\"}\"#; br\"\\\"; b'{';", "        ;      ;     ;"),
    ];
    for (text, blanked) in cases {
        assert_eq!(blank(text).trim_end(), blanked.trim_end(), "{text}");
    }
}

#[test]
fn functions_are_found_with_their_tests_and_lines() {
    let code = "fn a() -> [u8; 2] {\n [{1}]\n}\ntrait T { fn b(); }\n#[test]\nfn c() { fn d() {} }";
    let found = functions(code);
    let seen: Vec<_> = found.iter().map(|each| (each.name, each.line, each.is_test)).collect();
    assert_eq!(seen, [("a", 1, false), ("c", 6, true), ("d", 6, false)]);
    assert_eq!(found[0].text.lines().count(), 3);
}
