//! The pages: their blocks of code, their sentences, their headings.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// A page of the documentation.
pub struct Page {
    /// Its path in the repository.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// A block between fences.
pub struct Block {
    /// The line of its fence.
    pub line: usize,
    /// What is behind the fence: the language, and for whom the block is.
    pub info: String,
    /// What it says, without the indentation of its fence.
    pub text: String,
}

impl Block {
    /// The first word behind the fence.
    pub fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or_default()
    }

    /// Whether it is typed into a shell.
    pub fn is_shell(&self) -> bool {
        ["sh", "bash", "console"].contains(&self.language())
    }

    /// What is typed: of a `console`, the lines behind a prompt, and empty lines in place of what is answered.
    pub fn typed(&self) -> String {
        if self.language() != "console" {
            return self.text.clone();
        }
        let mut goes_on = false;
        let typed = self.text.lines().map(|line| {
            let command = line.strip_prefix("$ ").or_else(|| goes_on.then_some(line)).unwrap_or_default();
            goes_on = command.ends_with('\\');
            command
        });
        typed.collect::<Vec<_>>().join("\n")
    }
}

impl Page {
    /// Every page, by its path.
    pub fn all() -> Vec<Self> {
        let mut paths: Vec<String> =
            ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned).into();
        paths.push("charts/rollcall/README.md".to_owned());
        below(Path::new("docs"), &mut paths);
        paths.sort();
        let read =
            |path: String| Self { text: fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}")), path };
        paths.into_iter().filter(|path| path != "docs/SUMMARY.md").map(read).collect()
    }

    /// Each line with whether it is within a block, and the block's fence and indentation.
    fn walk(&self, mut each: impl FnMut(usize, &str, Option<&mut Block>)) -> Vec<Block> {
        let (mut blocks, mut open) = (Vec::new(), None::<(Block, usize)>);
        for (number, line) in self.text.lines().enumerate() {
            let bare = line.trim_start();
            match (&mut open, bare.strip_prefix("```")) {
                (None, Some(info)) => {
                    let block = Block { line: number + 1, info: info.trim().to_owned(), text: String::new() };
                    open = Some((block, line.len() - bare.len()));
                }
                (Some(_), Some(_)) => blocks.extend(open.take().map(|(block, _)| block)),
                (Some((block, indent)), None) => {
                    let inside = line.get(*indent..).unwrap_or_default();
                    block.text.push_str(inside);
                    block.text.push('\n');
                    each(number + 1, line, Some(block));
                }
                (None, None) => each(number + 1, line, None),
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.path);
        blocks
    }

    /// Its blocks of code.
    pub fn blocks(&self) -> Vec<Block> {
        self.walk(|_, _, _| {})
    }

    /// Its lines outside of blocks, each with its number.
    pub fn sentences(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        self.walk(|number, line, block| {
            if block.is_none() {
                found.push((number, line.to_owned()));
            }
        });
        found
    }

    /// Code within sentences, each with the number of its line.
    pub fn spans(&self) -> Vec<(usize, String)> {
        static SPAN: LazyLock<Regex> = LazyLock::new(|| Regex::new("`([^`]+)`").unwrap());
        let sentences = self.sentences();
        let found = sentences
            .iter()
            .flat_map(|(number, line)| SPAN.captures_iter(line).map(|one| (*number, one[1].to_owned())));
        found.collect()
    }

    /// What can stand behind `#` in a link to it.
    pub fn anchors(&self) -> Vec<String> {
        static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"<a id="([^"]+)">"#).unwrap());
        let (mut found, mut seen) = (Vec::new(), HashMap::<String, usize>::new());
        for (_, line) in self.sentences() {
            found.extend(ID.captures_iter(&line).map(|one| one[1].to_owned()));
            let Some(heading) = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')) else { continue };
            let slug = slug(heading.trim());
            let times = seen.entry(slug.clone()).or_default();
            found.push(if *times == 0 { slug } else { format!("{slug}-{times}") });
            *times += 1;
        }
        found
    }
}

fn below(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, paths);
        } else if path.extension().is_some_and(|end| end == "md") {
            paths.push(path.to_string_lossy().into_owned());
        }
    }
}

/// A heading as a link names it, on GitHub and in the book alike.
fn slug(heading: &str) -> String {
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[([^\]]*)\]\([^)]*\)").unwrap());
    let text = LINK.replace_all(heading, "$1").to_lowercase();
    let kept = text.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
    kept.map(|one| if one == ' ' { '-' } else { one }).collect()
}

#[test]
fn headings_become_anchors_and_twins_get_a_number() {
    let text =
        "# One `two`: three\n```sh\n# none\n```\n## A [link](b.md)\n## A link\n<a id=\"own\"></a>text\n".to_owned();
    let page = Page { path: "page.md".to_owned(), text };
    assert_eq!(page.anchors(), ["one-two-three", "a-link", "a-link-1", "own"]);
}

#[test]
fn of_a_console_only_what_is_typed_is_read() {
    let text = "  ```console\n  $ a \\\n    b\n  answer\n  $ c\n  ```\n".to_owned();
    let page = Page { path: "page.md".to_owned(), text };
    let blocks = page.blocks();
    assert_eq!((blocks[0].line, blocks[0].typed()), (1, "a \\\n  b\n\nc".to_owned()));
}
