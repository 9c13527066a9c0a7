//! The documented limits, counted exactly: so many requests in any second, and a part of that in any
//! longer window.
//!
//! A request that is refused counts like any other, so a client that does not wait stays refused.
//! Limits per app over all tenants are not counted: there is one tenant, whose limit is smaller.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::behaviour::Throttle;
use super::seen::Class;

const SECOND: Duration = Duration::from_secs(1);
/// Buckets of chats that are kept; idle ones go first.
const MOST_BUCKETS: usize = 10_000;

/// The requests of the last seconds, by what they count against.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    buckets: HashMap<(Class, Option<String>), VecDeque<Duration>>,
}

impl Limiter {
    /// Counts a request that came `at` after the start, and says whether it is within every limit.
    pub(crate) fn admit(
        &mut self,
        rules: &Throttle,
        (class, resource): (Class, Option<&str>),
        at: Duration,
    ) -> bool {
        let of_tenant = match rules.limit(class) {
            Some(limit) => self.count((class, None), limit, rules, at),
            None => true,
        };
        let of_resource = match resource.filter(|_| has_resource_limit(class)) {
            Some(name) => self.count((class, Some(name.to_owned())), rules.resource, rules, at),
            None => true,
        };
        of_tenant && of_resource
    }

    fn count(
        &mut self,
        bucket: (Class, Option<String>),
        limit: u32,
        rules: &Throttle,
        at: Duration,
    ) -> bool {
        let long = SECOND * rules.sustained_seconds;
        if self.buckets.len() > MOST_BUCKETS {
            self.buckets.retain(|_, times| times.back().is_some_and(|last| *last + long > at));
        }
        let times = self.buckets.entry(bucket).or_default();
        while times.front().is_some_and(|first| *first + long <= at) {
            let _oldest = times.pop_front();
        }
        times.push_back(at);
        let in_last_second = times.iter().rev().take_while(|time| **time + SECOND > at).count();
        in_last_second <= limit as usize && times.len() <= rules.sustained_limit(limit)
    }
}

impl Throttle {
    fn limit(&self, class: Class) -> Option<u32> {
        match class {
            Class::Chats | Class::Channels | Class::Retained => Some(self.export),
            Class::Copilot => Some(self.copilot),
            Class::HostedList => Some(self.hosted_list),
            Class::Hosted => Some(self.hosted),
            Class::Chat => Some(self.chat),
            Class::Targeted | Class::Meetings | Class::MeetingContent | Class::ChannelHosted => {
                Some(self.other)
            }
            Class::Token | Class::Files | Class::Directory | Class::Elsewhere | Class::Unknown => {
                None
            }
        }
    }

    /// Most requests in the long window, rounded up: a limit of one a second has room for no less.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "limits are small and not negative"
    )]
    fn sustained_limit(&self, limit: u32) -> usize {
        (f64::from(limit) * self.sustained * f64::from(self.sustained_seconds)).ceil() as usize
    }
}

fn has_resource_limit(class: Class) -> bool {
    matches!(class, Class::HostedList | Class::Hosted | Class::ChannelHosted | Class::Chat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rules: &Throttle, class: Class, chat: Option<&str>, at_ms: &[u64]) -> usize {
        let mut limiter = Limiter::default();
        let admit = |at: &&u64| limiter.admit(rules, (class, chat), Duration::from_millis(**at));
        at_ms.iter().filter(admit).count()
    }

    #[test]
    fn a_burst_is_cut_at_the_limit_and_refused_requests_count_too() {
        let rules = Throttle::default();
        let burst = vec![5; 230];
        assert_eq!(admitted(&rules, Class::Chats, None, &burst), 200);
        // Half a second later the burst still fills the window, a second later it does not.
        let mut later = vec![5; 200];
        later.extend([505, 1004, 1005]);
        assert_eq!(admitted(&rules, Class::Chats, None, &later), 201);
        let hammering: Vec<u64> = (0..5000).map(|n| n * 2).collect();
        assert_eq!(admitted(&rules, Class::Chats, None, &hammering), 200);
    }

    #[test]
    fn the_full_rate_lasts_until_the_sustained_limit() {
        let rules = Throttle::default();
        let full_rate: Vec<u64> = (0..2000).map(|n| n * 5).collect();
        assert_eq!(admitted(&rules, Class::Retained, None, &full_rate), 1660);
        let polite: Vec<u64> = (0..3000).map(|n| n * 6050 / 1000).collect();
        assert_eq!(admitted(&rules, Class::Retained, None, &polite), 3000);
    }

    #[test]
    fn one_chat_gives_one_image_a_second() {
        let rules = Throttle::default();
        assert_eq!(admitted(&rules, Class::Hosted, Some("a"), &[0, 999, 1999, 3200]), 3);
        assert_eq!(admitted(&rules, Class::Chats, Some("a"), &[0, 1, 2]), 3);
    }
}
