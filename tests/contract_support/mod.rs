//! One recorded exchange, one authority to send it to, one comparison.

mod compare;
mod crl;
mod exchange;
mod leaf;
mod replica;

pub(crate) use compare::compare;
pub(crate) use exchange::Exchange;
pub(crate) use replica::Answer;
pub(crate) use replica::Replica;
