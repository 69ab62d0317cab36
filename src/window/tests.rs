//! Rings against a model that remembers every observation and its slot.

use super::*;
use proptest::prelude::*;

/// A multiset of small numbers: what is counted twice or lost is seen.
#[derive(Clone, Debug, PartialEq, Default)]
struct Tally(Vec<u64>);

impl Accumulator for Tally {
    type Input<'a> = usize;

    fn update(&mut self, value: usize) {
        if value >= self.0.len() {
            self.0.resize(value + 1, 0);
        }
        self.0[value] += 1;
    }

    fn merge(&mut self, other: &Self) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(ours, theirs)| *ours += theirs);
    }

    fn reset(&mut self) {
        self.0.fill(0);
    }

    fn fits(&self, _other: &Self) -> bool {
        true
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

const WINDOW: Span = Span::from_seconds(120);

fn ring() -> Ring<Tally> {
    Ring::new(WINDOW, Tally::default())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn counts(tally: &Tally) -> Vec<(usize, u64)> {
    tally.0.iter().copied().enumerate().filter(|&(_, count)| count > 0).collect()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Seconds forward, or back.
    Advance(i64),
    /// Seconds before now, and what.
    Update(i64, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let advance = prop_oneof![0i64..15, 0i64..150, -50i64..0, Just(100_000)].prop_map(Step::Advance);
    let update = (-5i64..200, 0usize..8).prop_map(|(age, value)| Step::Update(age, value));
    proptest::collection::vec(prop_oneof![1 => advance, 3 => update], 0..120)
}

proptest! {
    #[test]
    fn a_window_is_what_its_slots_saw(start in -100i64..100, steps in steps()) {
        let mut ring = ring();
        let (mut clock, mut highest) = (start, start);
        let mut seen: Vec<(i64, usize)> = Vec::new();
        ring.advance(at(clock));
        for step in steps {
            match step {
                Step::Advance(seconds) => {
                    clock += seconds;
                    highest = highest.max(clock);
                    ring.advance(at(clock));
                }
                Step::Update(age, value) => {
                    let second = highest - age;
                    let taken = ring.update_at(at(second), |tally| tally.update(value));
                    // Slots are 10 s wide; twelve full ones stand before the newest.
                    prop_assert_eq!(taken, second.div_euclid(10) >= highest.div_euclid(10) - 12);
                    seen.extend(taken.then_some((second.min(highest), value)));
                }
            }
            let mut expected = Tally::default();
            for &(_, value) in seen.iter().filter(|(second, _)| second.div_euclid(10) >= highest.div_euclid(10) - 12) {
                expected.update(value);
            }
            prop_assert_eq!(counts(&ring.merged()), counts(&expected));
            prop_assert_eq!(ring.is_empty(), counts(&expected).is_empty());
        }
    }
}

#[test]
fn a_window_covers_between_its_length_and_a_twelfth_more() {
    for (now, reaches_back_to) in [(0, -120), (9, -120), (10, -110), (1005, 880)] {
        let mut ring = ring();
        ring.advance(at(now));
        assert!(ring.update_at(at(reaches_back_to), |tally| tally.update(0)), "{now}");
        assert!(!ring.update_at(at(reaches_back_to - 1), |tally| tally.update(0)), "{now}");
    }
}

#[test]
fn a_length_that_twelve_does_not_divide_is_covered_too() {
    let mut ring = Ring::new(Span::from_nanos(100), Tally::default());
    ring.advance(Timestamp::from_nanos(1000));
    assert!(ring.update_at(Timestamp::from_nanos(900), |tally| tally.update(0)));
}

#[test]
fn an_idle_ring_holds_nothing() {
    let mut ring = ring();
    for second in 0..1000 {
        ring.advance(at(second));
    }
    assert_eq!((ring.heap_bytes(), ring.is_empty()), (0, true));
}

#[test]
fn a_warm_ring_allocates_no_more() {
    let mut ring = ring();
    let turn = |ring: &mut Ring<Tally>, from: i64| {
        for second in from..from + 300 {
            ring.advance(at(second));
            ring.update_at(at(second), |tally| tally.update(7));
        }
    };
    turn(&mut ring, 0);
    let held = ring.heap_bytes();
    turn(&mut ring, 300);
    assert_eq!(ring.heap_bytes(), held);
    assert_eq!(held, (SLOTS + 1) * (size_of::<Tally>() + size_of::<[u64; 8]>()));
}

#[test]
fn the_ends_of_time_are_no_special_case() {
    for (first, second) in [(Timestamp::MIN, Timestamp::MAX), (Timestamp::MAX, Timestamp::MIN)] {
        let mut ring = Ring::new(Span::from_nanos(1), Tally::default());
        ring.advance(first);
        assert!(ring.update_at(first, |tally| tally.update(1)));
        ring.advance(second);
        assert_eq!(ring.update_at(second, |tally| tally.update(2)), second > first);
        assert_eq!(counts(&ring.merged()), [(if second > first { 2 } else { 1 }, 1)]);
    }
}

#[test]
fn the_first_time_of_an_observation_starts_the_ring() {
    let mut ring = ring();
    assert!(ring.update_at(at(500), |tally| tally.update(1)));
    assert!(ring.update_at(at(395), |tally| tally.update(2)));
    assert_eq!(counts(&ring.merged()), [(1, 1), (2, 1)]);
}

#[test]
fn windows_keep_each_span_and_everything() {
    let mut windows = Windows::new(&[WINDOW, Span::from_seconds(1200)], true, &Tally::default());
    for second in [0, 1000, 1010] {
        windows.advance(at(second));
        windows.update_at(Some(at(second)), |tally| tally.update(1));
    }
    windows.update_at(None, |tally| tally.update(1));
    windows.advance(at(1250));
    let mut seen = Vec::new();
    windows.visit(&mut Tally::default(), |span, tally| {
        seen.push((span, tally.0.first_chunk::<2>().map(|c| c[1])))
    });
    let expected = [(Some(WINDOW), Some(0)), (Some(Span::from_seconds(1200)), Some(3)), (None, Some(4))];
    // The short window has let all of it go; its scratch came clean, whatever was merged there before.
    let counts = |entry: &(Option<Span>, Option<u64>)| (entry.0, entry.1.unwrap_or(0));
    assert_eq!(seen.iter().map(counts).collect::<Vec<_>>(), expected.map(|entry| counts(&entry)));
}

proptest! {
    /// Another window beside it, or one less, is not seen in a window that stays, whenever that happens.
    #[test]
    fn a_window_that_stays_is_not_touched(steps in steps(), when in 0usize..120, all: bool) {
        let longer = Span::from_seconds(1200);
        let mut windows = Windows::new(&[WINDOW, longer], all, &Tally::default());
        let mut expected = Windows::new(&[WINDOW], all, &Tally::default());
        let mut clock = 0;
        for (index, step) in steps.into_iter().enumerate() {
            if index == when {
                windows.reconfigure(&[Span::from_seconds(60), WINDOW], all, &Tally::default(), |_| {});
                prop_assert!(windows.rings()[0].is_empty());
            }
            for windows in [&mut windows, &mut expected] {
                match step {
                    Step::Advance(seconds) => windows.advance(at(clock + seconds)),
                    Step::Update(age, value) => {
                        windows.update_at(Some(at(clock - age)), |tally| tally.update(value));
                    }
                }
            }
            if let Step::Advance(seconds) = step {
                clock += seconds;
            }
            let kept = windows.rings().iter().find(|ring| ring.window() == WINDOW).expect("it stays");
            prop_assert_eq!(counts(&kept.merged()), counts(&expected.rings()[0].merged()));
            prop_assert_eq!(windows.all(), expected.all());
        }
    }
}

#[test]
fn every_state_of_a_window_that_stays_is_changed_and_a_new_one_is_empty() {
    let mut windows = Windows::new(&[WINDOW], true, &Tally::default());
    for second in [0, 30, 60] {
        windows.advance(at(second));
        windows.update_at(Some(at(second)), |tally| tally.update(1));
    }
    let empty = Tally(vec![0; 4]);
    windows.reconfigure(&[WINDOW, Span::from_seconds(240)], true, &empty, |tally| {
        tally.0 = vec![0, 0, tally.0[1]]
    });
    assert_eq!(counts(&windows.rings()[0].merged()), [(2, 3)]);
    assert_eq!(windows.all().map(counts), Some(vec![(2, 3)]));
    assert_eq!(windows.rings()[1].merged(), empty);
    // The slots and what they were merged into say the same still.
    windows.advance(at(150));
    assert_eq!(counts(&windows.rings()[0].merged()), [(2, 2)]);
    windows.reconfigure(&[], false, &empty, |_| {});
    windows.reconfigure(&[WINDOW], true, &empty, |_| {});
    assert_eq!((windows.rings()[0].merged(), windows.all()), (empty.clone(), Some(&empty)));
}
