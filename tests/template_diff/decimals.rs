//! The decimal functions on doubles of every size, as their bits have them.

use serde_json::Value as Json;
use serde_json::json;
use stepless::template::functions::table;

use super::Outcome;
use super::Verdict;
use super::judge;
use super::random::Random;
use super::reference::Reference;
use super::render;
use super::say;
use super::tools;

const COUNT: usize = 10_000;

const SEED: u64 = 20_261_124;

/// Ends and turning points of what a double and 17 digits can hold.
const EDGES: [f64; 12] = [
    0.0,
    -0.0,
    5e-324,
    2.225_073_858_507_201e-308,
    f64::MIN_POSITIVE,
    5e-17,
    1e-16,
    0.1,
    9_007_199_254_740_993.0,
    1e17,
    1.797_693_134_862_315_7e308,
    f64::MIN,
];

fn number(random: &mut Random) -> f64 {
    match random.below(4) {
        0 => random.pick(&EDGES),
        // A few digits of any size.
        1 => {
            (random.below(2000) as f64 - 1000.0)
                * 10_f64.powi(i32::try_from(random.below(640)).unwrap() - 330)
        }
        // Near one, so that results are not all zero or infinite.
        2 => (random.next() >> 11) as f64 / 10_f64.powi(i32::try_from(random.below(20)).unwrap()),
        _ => Some(f64::from_bits(random.next())).filter(|number| number.is_finite()).unwrap_or(f64::MAX),
    }
}

fn template(random: &mut Random) -> String {
    let name = random.pick(&["addf", "subf", "mulf", "divf"]);
    let numbers: String = (0..=random.below(6)).map(|_| format!(" {:e}", number(random))).collect();
    format!("{{{{ {name}{numbers} }}}}")
}

#[test]
fn decimals_are_computed_as_in_go() {
    let reference = match Reference::build() {
        Ok(reference) => reference,
        Err(why) => return tools::skip(&why),
    };
    let seed = tools::variable("STEPLESS_DIFF_SEED").map_or(SEED, |text| text.parse().unwrap());
    let mut random = Random::new(seed);
    let texts: Vec<(String, Json)> = (0..COUNT).map(|_| (template(&mut random), json!({}))).collect();
    let (mut rendered, mut different) = (0, 0);
    for ((template, data), theirs) in texts.iter().zip(reference.render(&texts)) {
        let case = render(&table(), template.clone(), data.clone());
        rendered += usize::from(matches!(theirs, Outcome::Rendered(_)));
        if judge(&case, &theirs) == Verdict::Different {
            different += 1;
            say(&format!("\n--- differs, seed {seed}\n{case}reference: {theirs}\n"));
        }
    }
    assert_eq!(different, 0, "seed {seed}");
    assert!(rendered * 5 > COUNT * 4, "only {rendered} of {COUNT} rendered");
}
