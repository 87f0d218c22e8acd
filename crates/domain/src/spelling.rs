//! Enums whose every value has one word, for where it is kept, counted or shown.

/// Gives an enum its words: all its values, and the spelling of each. Written out, so that a variant can be renamed in the code and nothing
/// that is stored changes with it.
#[macro_export]
macro_rules! spelled {
    ($type:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}
