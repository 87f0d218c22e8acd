//! The words of a definition that say how far it is proved: by pages, and by people who ran it.
//!
//! Nothing is decided by them. They are for somebody who chooses a connector, and are shown wherever one is.

use jiff::civil::Date;
use serde::Deserialize;

/// Longest name of somebody who ran a connector.
const LONGEST_NAME: usize = 64;

/// How well a definition is known from pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The vendor's own pages say all of it.
    Documented,
    /// Seen in a connector somebody runs; the vendor's pages do not say all of it.
    ConnectorSeen,
    /// Something that matters is not known, and left out.
    Partial,
}

impl Evidence {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::ConnectorSeen => "connector-seen",
            Self::Partial => "partial",
        }
    }
}

/// That somebody read a real system with it, and found its people as that system shows them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveRun {
    /// The name they want to be known by: of a company, or of an account where the report is.
    pub by: String,
    /// The day of the read.
    pub on: Date,
    /// The public page on which they say so.
    pub report: String,
}

impl LiveRun {
    /// What is wrong with it, for the author of the definition.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        let plain = self.by.trim() == self.by && !self.by.chars().any(char::is_control);
        if self.by.is_empty() || self.by.chars().count() > LONGEST_NAME || !plain {
            Some("by: a name of 1 to 64 letters")
        } else if self.by.contains('@') {
            Some("by: a name, and no address")
        } else if !self.report.starts_with("https://") {
            Some("report: a public page, https://…")
        } else {
            None
        }
    }
}
