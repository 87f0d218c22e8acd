//! Takes a script apart as a shell would: words, quotes, pipes, substitutions. What it does not understand is an error.

use std::iter::Peekable;
use std::str::Chars;

/// One command with its words, as the program gets them. A substitution is `…`.
pub struct Command {
    /// The line of the script that it begins on, from 1.
    pub line: usize,
    /// Its words; at least one.
    pub words: Vec<String>,
}

/// What a script has.
#[derive(Default)]
pub struct Script {
    /// Its commands, those within substitutions too.
    pub commands: Vec<Command>,
    /// Functions that it defines.
    pub functions: Vec<String>,
}

/// Takes a script apart.
pub fn script(text: &str) -> Result<Script, String> {
    let mut shell = Shell { left: text.chars().peekable(), line: 1, found: Script::default(), ends: Vec::new() };
    shell.sequence(false)?;
    Ok(shell.found)
}

struct Shell<'a> {
    left: Peekable<Chars<'a>>,
    line: usize,
    found: Script,
    /// Words that end texts which begin with the next line.
    ends: Vec<String>,
}

/// The command that is being read.
#[derive(Default)]
struct Reading {
    line: usize,
    words: Vec<String>,
    word: Option<String>,
    /// The next word is a file that is written or read, and none of the command's.
    is_file: bool,
}

impl Reading {
    fn push(&mut self, text: &str) {
        self.word.get_or_insert_default().push_str(text);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.is_file)
        {
            self.words.push(word);
        }
    }
}

impl Shell<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.left.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    /// Reads commands up to the end, or to the parenthesis that closes.
    fn sequence(&mut self, closes: bool) -> Result<(), String> {
        let mut now = Reading { line: self.line, ..Reading::default() };
        while let Some(one) = self.next() {
            match one {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(other) => now.push(&other.to_string()),
                },
                '\'' => {
                    now.push("");
                    loop {
                        match self.next() {
                            Some('\'') => break,
                            Some(other) => now.push(&other.to_string()),
                            None => return Err("a quote is not closed".to_owned()),
                        }
                    }
                }
                '"' => self.quoted(&mut now)?,
                '$' if self.left.peek() == Some(&'(') => self.substitution(&mut now)?,
                '`' => return Err("a backtick: write $(…)".to_owned()),
                '#' if now.word.is_none() => while self.left.next_if(|next| *next != '\n').is_some() {},
                '\n' => {
                    self.end_command(&mut now);
                    self.skip_texts()?;
                    now.line = self.line;
                }
                ';' | '|' | '&' => {
                    self.left.next_if_eq(&one);
                    self.end_command(&mut now);
                }
                '<' | '>' => self.redirection(one, &mut now)?,
                '(' if now.word.is_some() && self.left.next_if_eq(&')').is_some() => {
                    self.found.functions.extend(now.word.take());
                    now.words.clear();
                }
                '(' => self.sequence(true)?,
                ')' if closes => {
                    self.end_command(&mut now);
                    return Ok(());
                }
                ')' => return Err("a parenthesis closes nothing".to_owned()),
                one if one.is_whitespace() => now.end_word(),
                other => now.push(&other.to_string()),
            }
        }
        self.end_command(&mut now);
        if closes { Err("a parenthesis is not closed".to_owned()) } else { Ok(()) }
    }

    fn quoted(&mut self, now: &mut Reading) -> Result<(), String> {
        now.push("");
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some('\n') | None => {}
                    Some(other @ ('"' | '\\' | '$' | '`')) => now.push(&other.to_string()),
                    Some(other) => now.push(&format!("\\{other}")),
                },
                Some('$') if self.left.peek() == Some(&'(') => self.substitution(now)?,
                Some(other) => now.push(&other.to_string()),
                None => return Err("a double quote is not closed".to_owned()),
            }
        }
    }

    fn substitution(&mut self, now: &mut Reading) -> Result<(), String> {
        self.next(); // the parenthesis
        self.sequence(true)?;
        now.push("…");
        Ok(())
    }

    fn redirection(&mut self, one: char, now: &mut Reading) -> Result<(), String> {
        if now.word.as_ref().is_some_and(|word| word.chars().all(|digit| digit.is_ascii_digit())) {
            now.word = None; // the number of a stream
        }
        now.end_word();
        if self.left.next_if_eq(&'(').is_some() {
            self.sequence(true)?;
            now.push("…");
            return Ok(());
        }
        if one == '<' && self.left.next_if_eq(&'<').is_some() {
            let mut end = String::new();
            while let Some(next) = self.left.next_if(|next| !next.is_whitespace() && *next != '|') {
                end.push(next);
            }
            self.ends.push(end.trim_start_matches('-').trim_matches(['\'', '"']).to_owned());
            return Ok(());
        }
        while self.left.next_if(|next| matches!(next, '>' | '&')).is_some() {}
        while self.left.next_if(|next| *next == ' ').is_some() {}
        now.is_file = true;
        Ok(())
    }

    /// Skips the texts (`<<EOF`) that begin here.
    fn skip_texts(&mut self) -> Result<(), String> {
        for end in std::mem::take(&mut self.ends) {
            loop {
                let mut line = String::new();
                let mut more = false;
                while let Some(next) = self.next() {
                    if next == '\n' {
                        more = true;
                        break;
                    }
                    line.push(next);
                }
                if line.trim() == end {
                    break;
                }
                if !more {
                    return Err(format!("the text up to {end} does not end"));
                }
            }
        }
        Ok(())
    }

    fn end_command(&mut self, now: &mut Reading) {
        now.end_word();
        let mut words = std::mem::take(&mut now.words);
        while let Some(first) = words.first() {
            match first.as_str() {
                "if" | "then" | "else" | "elif" | "while" | "until" | "do" | "!" | "{" | "time" | "sudo" => {
                    words.remove(0);
                }
                "for" | "case" | "fi" | "done" | "esac" | "}" => words.clear(),
                word if assigns(word) => {
                    words.remove(0);
                }
                _ => break,
            }
        }
        if !words.is_empty() {
            self.found.commands.push(Command { line: now.line, words });
        }
        now.line = self.line;
    }
}

fn assigns(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
}

#[test]
fn scripts_are_taken_apart() {
    let text = "a 'b c' \"d $(e f) \\\"g\\\"\" \\\n  h > out # words\nX=1 i | j && ! k; l() { m; }\ngpg --in=<(n) 2>&1 <<EOF\no p\nEOF\nif q; then r; fi\n";
    let script = script(text).unwrap();
    let words: Vec<_> = script.commands.iter().map(|one| format!("{} {}", one.line, one.words.join("|"))).collect();
    let expected = ["1 e|f", "1 a|b c|d … \"g\"|h", "3 i", "3 j", "3 k", "3 m", "4 n", "4 gpg|--in=|…", "7 q", "7 r"];
    assert_eq!(words, expected);
    assert_eq!(script.functions, ["l"]);
}

#[test]
fn what_no_shell_takes_is_said() {
    for (text, why) in
        [("a 'b", "quote"), ("a $(b", "parenthesis"), ("a `b`", "backtick"), ("a )", "closes"), ("a <<E\nb\n", "end")]
    {
        let said = script(text).err().unwrap_or_default();
        assert!(said.contains(why), "{text}: {said}");
    }
}
