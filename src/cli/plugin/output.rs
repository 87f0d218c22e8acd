//! In which form a command prints what it found.

use clap::ValueEnum;
use serde::Serialize;

use super::Failure;
use super::terminal::say;

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// The same, with more columns where there are more
    Wide,
    /// All of it, for programs
    Json,
    /// The same as YAML
    Yaml,
}

impl Output {
    /// Prints what was found, or what a table says of it.
    ///
    /// # Errors
    /// When it cannot be written in this form; what `table` says.
    pub fn print(self, found: &impl Serialize, table: impl FnOnce() -> Result<String, Failure>) -> Result<(), Failure> {
        say(&match self {
            Self::Table | Self::Wide => table()?,
            Self::Json => json(found)?,
            Self::Yaml => yaml(found)?,
        });
        Ok(())
    }

    /// Prints one of many that come one after another: as YAML, each is a document of its own.
    ///
    /// # Errors
    /// When it cannot be written in this form.
    pub fn print_next(self, found: &impl Serialize, line: impl FnOnce() -> String) -> Result<(), Failure> {
        say(&match self {
            Self::Table | Self::Wide => line(),
            Self::Json => json(found)?,
            Self::Yaml => format!("---\n{}", yaml(found)?),
        });
        Ok(())
    }

    /// Whether columns are shown that the table leaves out.
    pub const fn wide(self) -> bool {
        matches!(self, Self::Wide)
    }

    /// Whether it is for people.
    pub const fn for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// As JSON, for reading.
///
/// # Errors
/// When it cannot be written so.
pub fn json(found: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(found).map_err(unwritable)
}

/// As YAML.
///
/// # Errors
/// When it cannot be written so.
pub fn yaml(found: &impl Serialize) -> Result<String, Failure> {
    serde_saphyr::to_string(found).map(|text| text.trim_end().to_owned()).map_err(unwritable)
}

/// Why it could not be written so.
pub fn unwritable(error: impl ToString) -> Failure {
    Failure::Refused(error.to_string())
}
