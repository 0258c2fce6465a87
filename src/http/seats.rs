//! Who is connected, and who makes room: at a limit, the connection that has kept the server waiting longest.
//!
//! A connection keeps the server waiting while it shakes hands, sends a header or a body, takes an answer, or is idle.
//! One whose request is being worked on is never closed: if there are no others, the newcomer is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::Notify;

use crate::http::limits::Limits;
use crate::http::limits::Site;

/// The connections of a server.
#[derive(Debug)]
pub(super) struct Seats {
    limits: Limits,
    /// From which the times of connections are counted.
    epoch: Instant,
    taken: Mutex<Taken>,
    refused: AtomicU64,
    evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct Taken {
    /// By place; a free one is `None`.
    places: Vec<Option<Place>>,
    free: Vec<usize>,
    sites: HashMap<Site, usize>,
    handshakes: usize,
}

#[derive(Debug)]
struct Place {
    client: Arc<Client>,
    site: Site,
    shakes_hands: bool,
}

/// What a connection is doing.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// Its last step, in milliseconds since the epoch of the seats.
    since: AtomicU64,
    /// Requests that have come, and are not answered.
    open: AtomicU32,
    /// Those of them whose bodies are still coming.
    arriving: AtomicU32,
    evict: Notify,
}

/// A place among the connections, free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: usize,
    client: Arc<Client>,
}

/// How many connections there are and were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) open: usize,
    pub(super) refused: u64,
    pub(super) evicted: u64,
}

impl Seats {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            epoch: Instant::now(),
            taken: Mutex::default(),
            refused: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
        }
    }

    /// Gives a connection a place, if need be that of another; `None` if it has to go.
    pub(super) fn take(self: &Arc<Self>, address: SocketAddr) -> Option<Seat> {
        let site = Site::of(address);
        let most = match address.ip().to_canonical().is_loopback() {
            true => self.limits.connections_per_loopback_address,
            false => self.limits.connections_per_address,
        };
        let mut taken = self.taken();
        let room = (taken.sites.get(&site).copied().unwrap_or_default() < most.max(1)
            || self.evict(&mut taken, |place| place.site == site))
            && (taken.handshakes < self.limits.handshakes.max(1)
                || self.evict(&mut taken, |place| place.shakes_hands))
            && (taken.len() < self.limits.connections.max(1) || self.evict(&mut taken, |_| true));
        if !room {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let client = Arc::new(Client::default());
        client.since.store(self.now(), Ordering::Relaxed);
        let number = taken.put(Place { client: Arc::clone(&client), site, shakes_hands: true });
        Some(Seat { seats: Arc::clone(self), number, client })
    }

    /// Closes the connection that has kept waiting longest, whoever it is; for when the system has no room.
    pub(super) fn make_room(&self) {
        self.evict(&mut self.taken(), |_| true);
    }

    pub(super) fn census(&self) -> Census {
        Census {
            open: self.taken().len(),
            refused: self.refused.load(Ordering::Relaxed),
            evicted: self.evicted.load(Ordering::Relaxed),
        }
    }

    /// Whether one could be told to go. Its place is free from now on.
    fn evict(&self, taken: &mut Taken, may_go: impl Fn(&Place) -> bool) -> bool {
        let places = taken.places.iter().enumerate();
        let waiting = places.filter_map(|(number, place)| {
            let place = place.as_ref().filter(|place| may_go(place) && place.client.keeps_waiting())?;
            Some((place.client.since.load(Ordering::Relaxed), number))
        });
        let Some((_, number)) = waiting.min() else { return false };
        if let Some(place) = taken.clear(number) {
            place.client.evict.notify_one();
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // The table is whole after each step, whoever panicked.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn put(&mut self, place: Place) -> usize {
        *self.sites.entry(place.site).or_default() += 1;
        self.handshakes += usize::from(place.shakes_hands);
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[number] = Some(place);
        number
    }

    fn clear(&mut self, number: usize) -> Option<Place> {
        let place = self.places.get_mut(number)?.take()?;
        self.free.push(number);
        self.handshakes -= usize::from(place.shakes_hands);
        if let Some(count) = self.sites.get_mut(&place.site) {
            *count -= 1;
            if *count == 0 {
                self.sites.remove(&place.site);
            }
        }
        Some(place)
    }

    /// The place of this connection, unless it has been told to go and another has it.
    fn of(&mut self, seat: &Seat) -> Option<&mut Place> {
        let place = self.places.get_mut(seat.number)?.as_mut();
        place.filter(|place| Arc::ptr_eq(&place.client, &seat.client))
    }
}

impl Seat {
    /// The handshake is over.
    pub(super) fn shook_hands(&self) {
        let mut taken = self.seats.taken();
        if let Some(place) = taken.of(self)
            && std::mem::take(&mut place.shakes_hands)
        {
            taken.handshakes -= 1;
        }
        drop(taken);
        self.step();
    }

    /// A request has come: with its header only, if it has a body.
    pub(super) fn begin(&self, has_body: bool) {
        self.client.open.fetch_add(1, Ordering::Relaxed);
        self.client.arriving.fetch_add(u32::from(has_body), Ordering::Relaxed);
        self.step();
    }

    /// A body has come, or nobody waits for it.
    pub(super) fn arrived(&self) {
        self.client.arriving.fetch_sub(1, Ordering::Relaxed);
        self.step();
    }

    /// A request is answered.
    pub(super) fn end(&self) {
        self.client.open.fetch_sub(1, Ordering::Relaxed);
        self.step();
    }

    /// Waits until this connection has to make room.
    pub(super) async fn evicted(&self) {
        self.client.evict.notified().await;
    }

    fn step(&self) {
        self.client.since.store(self.seats.now(), Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        if taken.of(self).is_some() {
            taken.clear(self.number);
        }
    }
}

impl Client {
    fn keeps_waiting(&self) -> bool {
        self.open.load(Ordering::Relaxed) <= self.arriving.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seats(change: impl FnOnce(&mut Limits)) -> Arc<Seats> {
        let mut limits = Limits::default();
        change(&mut limits);
        Arc::new(Seats::new(limits))
    }

    fn take(seats: &Arc<Seats>, address: &str) -> Option<Seat> {
        seats.take(format!("{address}:1").parse().unwrap())
    }

    fn is_evicted(seat: &Seat) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(Duration::ZERO, seat.evicted()).await.is_ok() })
    }

    #[test]
    fn at_the_limit_the_one_that_waited_longest_goes() {
        let seats = seats(|limits| limits.connections = 3);
        let held: Vec<Seat> =
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"].iter().map(|a| take(&seats, a).unwrap()).collect();
        for (seat, since) in held.iter().zip([7, 5, 6]) {
            seat.client.since.store(since, Ordering::Relaxed);
        }
        let fourth = take(&seats, "192.0.2.4").unwrap();
        assert_eq!([0, 1, 2].map(|n| is_evicted(&held[n])), [false, true, false]);
        assert_eq!(seats.census(), Census { open: 3, refused: 0, evicted: 1 });
        // The place is another's by now: the one that left does not free it.
        drop(held);
        assert_eq!(seats.census().open, 1);
        drop(fourth);
        assert_eq!(seats.census().open, 0);
        assert!(seats.taken().sites.is_empty());
    }

    #[test]
    fn nobody_at_work_makes_room() {
        let seats = seats(|limits| limits.connections = 2);
        let (first, second) = (take(&seats, "192.0.2.1").unwrap(), take(&seats, "192.0.2.2").unwrap());
        first.begin(false);
        second.begin(true);
        second.arrived();
        assert!(take(&seats, "192.0.2.3").is_none());
        assert_eq!(seats.census(), Census { open: 2, refused: 1, evicted: 0 });
        // A body that does not come, and an answer that is not taken, keep waiting.
        first.begin(true);
        assert!(take(&seats, "192.0.2.3").is_none(), "one of its requests is at work");
        second.end();
        assert!(take(&seats, "192.0.2.3").is_some());
        assert!(is_evicted(&second) && !is_evicted(&first));
    }

    #[test]
    fn an_address_makes_room_for_itself() {
        let seats = seats(|limits| limits.connections_per_address = 2);
        let first = take(&seats, "[2001:db8::1]").unwrap();
        let stranger = take(&seats, "192.0.2.1").unwrap();
        let second = take(&seats, "[2001:db8::2]").unwrap();
        second.begin(false);
        let third = take(&seats, "[2001:db8::3]").unwrap();
        assert!(is_evicted(&first) && !is_evicted(&stranger));
        third.begin(false);
        assert!(take(&seats, "[2001:db8::4]").is_none());
        assert!(take(&seats, "[2001:db8:0:1::4]").is_some());
        // By default there is no limit on loopback addresses.
        let many: Vec<_> = (0..300).map(|_| take(&seats, "127.0.0.1")).collect();
        assert!(many.iter().all(Option::is_some));
    }

    #[test]
    fn handshakes_make_room_for_handshakes() {
        let seats = seats(|limits| limits.handshakes = 2);
        let idle = take(&seats, "192.0.2.1").unwrap();
        idle.shook_hands();
        idle.client.since.store(0, Ordering::Relaxed);
        let first = take(&seats, "192.0.2.2").unwrap();
        first.client.since.store(1, Ordering::Relaxed);
        let second = take(&seats, "192.0.2.3").unwrap();
        second.client.since.store(2, Ordering::Relaxed);
        assert!(take(&seats, "192.0.2.4").is_some());
        assert!(is_evicted(&first) && !is_evicted(&idle) && !is_evicted(&second));
        second.shook_hands();
        second.shook_hands();
        assert_eq!(seats.taken().handshakes, 0);
    }
}
