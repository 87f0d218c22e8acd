//! Every connector of the catalogue, read over real HTTP from a fake of its system.

mod catalogue;
mod company;
mod readings;

use std::time::Duration;

use hris::Definition;
use jiff::civil::Date;

const TODAY: Date = Date::constant(2026, 3, 2);
/// Time for one read. It decides nothing, however busy the machine is.
const LONG: Duration = Duration::from_hours(1);
/// Connectors read side by side: more would only wait for one another.
const AT_ONCE: usize = 8;
