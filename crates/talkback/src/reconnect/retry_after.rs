//! When a server wants to be asked again: `Retry-After` (RFC 9110 §10.2.3).

use std::time::Duration;

use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The longest time that is waited because a server says so.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// How long a server wants to be left alone, at most an hour.
///
/// A date is counted from the answer's own `Date`, since this end's clock may be wrong; without one it is
/// ignored, as is what is in the past, malformed, or there twice.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = only(headers, &RETRY_AFTER)?;
    let seconds = match is_number(value) {
        // One that is too large for a number is an hour as well.
        true => value.parse().unwrap_or(u64::MAX),
        false => date(value)?.checked_sub(date(only(headers, &DATE)?)?)?,
    };
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX)).filter(|wait| !wait.is_zero())
}

/// The value of a header that may stand once, if it does.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    Some(value.to_str().ok()?.trim())
}

/// The seconds from the year 0 to an HTTP-date in any of its three forms (RFC 9110 §5.6.7).
///
/// The name of the day says nothing that the rest does not, and is passed over.
fn date(text: &str) -> Option<u64> {
    let Some((_, rest)) = text.split_once(", ") else {
        // As C's asctime has it: Sun Nov  6 08:49:37 1994
        let parts: Vec<_> = text.split_ascii_whitespace().collect();
        let [_, month, day, time, year] = parts[..] else {
            return None;
        };
        return Some(days(day, month, year)? * 86_400 + seconds(time)?);
    };
    let (date, time) = rest.strip_suffix(" GMT")?.rsplit_once(' ')?;
    // 06 Nov 1994, or as RFC 850 has it: 06-Nov-94
    let parts: Vec<_> = date.split([' ', '-']).collect();
    let [day, month, year] = parts[..] else {
        return None;
    };
    Some(days(day, month, year)? * 86_400 + seconds(time)?)
}

/// The days from the year 0 to this one.
fn days(day: &str, month: &str, year: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let day = number(day, 1, 31)?;
    let year = match year.len() {
        // What would be more than 50 years ahead MUST be read as past (§5.6.7).
        2 => match number(year, 0, 99)? {
            recent @ 0..70 => 2000 + recent,
            past => 1900 + past,
        },
        4 => number(year, 1970, 9999)?,
        _ => return None,
    };
    // A year that begins with March ends with its leap day.
    let (year, month) = match month {
        0 | 1 => (year - 1, month + 10),
        _ => (year, month - 2),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    Some(365 * year + leap_days + (153 * month + 2) / 5 + day)
}

/// The seconds of the day.
fn seconds(time: &str) -> Option<u64> {
    let parts: Vec<_> = time.split(':').collect();
    let [hour, minute, second] = parts[..] else {
        return None;
    };
    // A minute may have a leap second.
    Some(number(hour, 0, 23)? * 3600 + number(minute, 0, 59)? * 60 + number(second, 0, 60)?)
}

fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    let number = text.parse().ok().filter(|_| is_number(text))?;
    (least..=most).contains(&number).then_some(number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const HOUR: Option<Duration> = Some(RETRY_AFTER_MAX);

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn after(value: &str) -> Option<Duration> {
        retry_after(&headers(&[(RETRY_AFTER, value)]))
    }

    fn after_from(value: &str, date: &str) -> Option<Duration> {
        retry_after(&headers(&[(RETRY_AFTER, value), (DATE, date)]))
    }

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn re16_seconds_are_taken_up_to_an_hour() {
        assert_eq!(after("50"), seconds(50));
        assert_eq!(after(" 1 "), seconds(1));
        assert_eq!(after("007"), seconds(7));
        assert_eq!(after("3600"), HOUR);
        assert_eq!(after("3601"), HOUR);
    }

    #[test]
    fn re17_a_date_is_counted_from_the_answers_own() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for later in [
            "Sun, 06 Nov 1994 08:51:37 GMT",
            "Sun Nov  6 08:51:37 1994",
            "Sun Nov 06 08:51:37 1994",
        ] {
            assert_eq!(after_from(later, date), seconds(120), "{later}");
        }
        let eve = "Thursday, 31-Dec-26 23:59:00 GMT";
        assert_eq!(
            after_from("Friday, 01-Jan-27 00:01:00 GMT", eve),
            seconds(120)
        );
        assert_eq!(
            after_from("Fri, 01 Jan 2027 00:01:00 GMT", eve),
            seconds(120)
        );
        assert_eq!(
            after_from("Saturday, 01-Jan-94 00:00:00 GMT", eve),
            None,
            "1994"
        );
        assert_eq!(after_from(date, date), None, "now");
        let earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
        assert_eq!(after_from(earlier, date), None, "in the past");
        assert_eq!(after(date), None, "nothing to count from");
        let next_year = "Mon, 06 Nov 1995 08:49:37 GMT";
        assert_eq!(after_from(next_year, date), HOUR);
    }

    #[test]
    fn re17_a_date_is_counted_over_the_ends_of_months_and_years() {
        for (date, later) in [
            (
                "Wed, 28 Feb 2024 23:59:59 GMT",
                "Thu, 29 Feb 2024 00:00:59 GMT",
            ),
            (
                "Thu, 29 Feb 2024 23:59:59 GMT",
                "Fri, 01 Mar 2024 00:00:59 GMT",
            ),
            (
                "Tue, 28 Feb 2023 23:59:59 GMT",
                "Wed, 01 Mar 2023 00:00:59 GMT",
            ),
            (
                "Sun, 28 Feb 2100 23:59:59 GMT",
                "Mon, 01 Mar 2100 00:00:59 GMT",
            ),
            (
                "Tue, 29 Feb 2000 23:59:59 GMT",
                "Wed, 01 Mar 2000 00:00:59 GMT",
            ),
            (
                "Sun, 31 Dec 2023 23:59:59 GMT",
                "Mon, 01 Jan 2024 00:00:59 GMT",
            ),
            (
                "Wed, 31 Jan 2024 23:59:59 GMT",
                "Thu, 01 Feb 2024 00:00:59 GMT",
            ),
            (
                "Tue, 30 Jun 2026 23:59:60 GMT",
                "Wed, 01 Jul 2026 00:01:00 GMT",
            ),
        ] {
            assert_eq!(after_from(later, date), seconds(60), "{date}");
        }
    }

    #[test]
    fn re18_what_is_malformed_is_ignored_and_what_is_too_large_an_hour() {
        for value in ["-1", "+1", "1.5", "x", "", " ", "1 s", "1,2", "0x1", "0"] {
            assert_eq!(after(value), None, "{value:?}");
        }
        for value in ["99999999999999999999", "18446744073709551615", "999999"] {
            assert_eq!(after(value), HOUR, "{value}");
        }
        let twice = [(RETRY_AFTER, "5"), (RETRY_AFTER, "5")];
        assert_eq!(retry_after(&headers(&twice)), None);
        let mut bytes = HeaderMap::new();
        bytes.insert(RETRY_AFTER, HeaderValue::from_bytes(b"\xff5").unwrap());
        assert_eq!(retry_after(&bytes), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn re18_a_date_that_is_none_is_ignored() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for later in [
            "Sun, 06 Nov 1994 08:51:37",
            "Sun, 06 Nov 1994 08:51:37 UTC",
            "Sun, 06 nov 1994 08:51:37 GMT",
            "Sun, 32 Nov 1994 08:51:37 GMT",
            "Sun, 00 Nov 1994 08:51:37 GMT",
            "Sun, 06 Nov 994 08:51:37 GMT",
            "Sun, 06 Nov 10000 08:51:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:51:61 GMT",
            "Sun, 06 Nov 1994 08:51 GMT",
            "Sun, +6 Nov 1994 08:51:37 GMT",
            "Sun, 06 Nov 1994 1 08:51:37 GMT",
            "Sun, GMT",
            ", GMT",
            "Sun Nov 6 1994",
            "2026-11-30T08:00:00Z",
        ] {
            assert_eq!(after_from(later, date), None, "{later}");
            assert_eq!(after_from(date, later), None, "{later}");
        }
        let later = "Sun, 06 Nov 1994 08:51:37 GMT";
        let two = [(RETRY_AFTER, later), (DATE, date), (DATE, date)];
        assert_eq!(retry_after(&headers(&two)), None);
    }

    #[test]
    fn re18_no_byte_that_is_wrong_panics() {
        let dates = [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ];
        for date in dates {
            for at in 0..date.len() {
                let (before, after) = (&date[..at], &date[at + 1..]);
                for wrong in [
                    "",
                    " ",
                    ", ",
                    ":",
                    "-",
                    "0",
                    "9",
                    "99999999999999999999",
                    "x",
                ] {
                    let value = format!("{before}{wrong}{after}");
                    let later = "Fri, 31 Dec 9999 23:59:60 GMT";
                    let wait = after_from(later, &value);
                    assert!(wait.is_none() || wait == HOUR, "{value}");
                    assert!(after_from(&value, date) <= HOUR, "{value}");
                    assert!(after_from(before, date) <= HOUR, "{before}");
                }
            }
        }
    }
}
