//! `scene.csv`: what a policy from state and latent does in one state of its data, for a picture.
//!
//! Actions are shown in a plane of two of their coordinates. The columns are `what`, these two by number (`action_2`), and
//! `value`, what the critics make of the whole action.

use crate::records::damaged;
use diagnostics::BadInput;
use std::fmt::Write as _;

/// One state as a policy and its critics see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The two coordinates of actions, counted from 1.
    pub plane: [usize; 2],
    /// The data's action.
    pub data: Spot,
    /// Of the draws among which training would choose, the one that it would: none where it does not choose.
    pub winner: Option<Spot>,
    /// The others.
    pub candidates: Vec<Spot>,
    /// More draws.
    pub draws: Vec<Spot>,
    /// A square grid over the limits of the plane, row by row, the first coordinate first; all other coordinates are the
    /// data's.
    pub grid: Vec<Spot>,
}

/// An action in the plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// Its two coordinates.
    pub at: [f32; 2],
    /// What it is worth.
    pub value: f32,
}

impl Scene {
    /// Grid points on a side.
    #[must_use]
    pub fn side(&self) -> usize {
        self.grid.len().isqrt()
    }

    /// As text. Numbers are written so that they read back to the same bits.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = format!("what,action_{},action_{},value\n", self.plane[0], self.plane[1]);
        let kinds = [
            ("data", std::slice::from_ref(&self.data)),
            ("winner", self.winner.as_slice()),
            ("candidate", &self.candidates),
            ("draw", &self.draws),
            ("grid", &self.grid),
        ];
        for (what, spots) in kinds {
            for Spot { at: [x, y], value } in spots {
                writeln!(text, "{what},{x},{y},{value}").expect("a string takes all");
            }
        }
        text
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`BadInput`] with file and line where it is damaged.
    pub fn parse(file: &str, text: &str) -> Result<Self, BadInput> {
        let mut lines = text.lines();
        let plane = lines.next().and_then(header);
        let plane =
            plane.ok_or_else(|| damaged(file, 1, "expected `what,action_I,action_J,value` as header"))?;
        let [mut data, mut winner] = [Vec::new(), Vec::new()];
        let [mut candidates, mut draws, mut grid] = [Vec::new(), Vec::new(), Vec::new()];
        for (i, line) in lines.enumerate() {
            let wrong = |what: String| damaged(file, i + 2, &what);
            let fields: Vec<&str> = line.split(',').collect();
            let [what, x, y, value] = fields[..] else {
                return Err(wrong(format!("{} fields instead of 4", fields.len())));
            };
            let number = |field: &str| {
                let number = field.parse().ok().filter(|x: &f32| x.is_finite());
                number.ok_or_else(|| wrong(format!("`{field}` is no finite number")))
            };
            let spot = Spot { at: [number(x)?, number(y)?], value: number(value)? };
            match what {
                "data" => &mut data,
                "winner" => &mut winner,
                "candidate" => &mut candidates,
                "draw" => &mut draws,
                "grid" => &mut grid,
                other => {
                    return Err(wrong(format!(
                        "`{other}` is none of data, winner, candidate, draw and grid"
                    )));
                }
            }
            .push(spot);
        }
        let [data] = data[..] else {
            return Err(damaged(file, 1, &format!("{} rows of data instead of 1", data.len())));
        };
        if winner.len() > 1 {
            return Err(damaged(file, 1, &format!("{} rows of a winner instead of 1 at most", winner.len())));
        }
        let winner = winner.first().copied();
        let scene = Self { plane, data, winner, candidates, draws, grid };
        let side = scene.side();
        if side < 2 || side * side != scene.grid.len() {
            return Err(damaged(file, 1, &format!("{} rows are no square grid", scene.grid.len())));
        }
        // Row by row over a square about 0.
        let axis = |i: usize| scene.grid[i].at[0];
        let in_place = |i: usize| scene.grid[i].at == [axis(i % side), axis(i / side)];
        let ascends = (1..side).all(|i| axis(i - 1) < axis(i)) && axis(0) == -axis(side - 1);
        if !ascends || !(0..side * side).all(in_place) {
            return Err(damaged(file, 1, "the rows of the grid are not in their places"));
        }
        Ok(scene)
    }
}

fn header(line: &str) -> Option<[usize; 2]> {
    let fields: Vec<&str> = line.split(',').collect();
    let ["what", x, y, "value"] = fields[..] else { return None };
    let number = |field: &str| field.strip_prefix("action_")?.parse().ok();
    let [x, y]: [usize; 2] = [number(x)?, number(y)?];
    (0 < x && x < y).then_some([x, y])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> Scene {
        let spot = |x: f32, y: f32| Spot { at: [x, y], value: x - 0.1 * y };
        Scene {
            plane: [1, 4],
            data: spot(0.1, -0.7),
            winner: Some(spot(0.2, 0.0)),
            candidates: vec![spot(0.3, 1.0 / 3.0)],
            draws: vec![spot(-0.0, 1e-30), spot(1.0, -1.0)],
            grid: vec![spot(-1.0, -1.0), spot(1.0, -1.0), spot(-1.0, 1.0), spot(1.0, 1.0)],
        }
    }

    #[test]
    fn it_reads_back_to_the_same_bits() {
        let text = scene().to_csv();
        assert_eq!(Scene::parse("scene.csv", &text).unwrap(), scene());
        assert_eq!(Scene::parse("scene.csv", &text).unwrap().to_csv(), text);
    }

    #[test]
    fn damage_is_named() {
        let text = scene().to_csv();
        let check = |from: &str, to: &str, expected: &str| {
            assert!(text.contains(from), "{from}");
            let error = Scene::parse("scene.csv", &text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("scene.csv:{expected}")), "{error}");
        };
        check("action_4", "4", "1: expected `what,action_I,action_J,value` as header");
        check("data,0.1", "data,nan", "2: `nan` is no finite number");
        check("data,", "dat,", "2: `dat` is none of");
        check("candidate,", "data,", "1: 2 rows of data instead of 1");
        check("candidate,", "winner,", "1: 2 rows of a winner instead of 1 at most");
        check("draw,", "grid,", "1: 5 rows are no square grid");
        check("grid,-1,", "grid,-2,", "1: the rows of the grid are not in their places");
        check("action_4", "action_1", "1: expected `what,action_I,action_J,value` as header");
    }
}
