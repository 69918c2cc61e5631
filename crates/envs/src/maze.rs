//! Mazes of square cells, as D4RL and OGBench have them.

use crate::mjcf::Element;
use crate::numpy;
use std::collections::VecDeque;

/// The side of a cell, and the coordinate of the centre of row or column 1 is 0.
const UNIT: f64 = 4.0;

/// A cell by its row and column, from the top left, which is (0, 0) and a wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// Row: its centre is at y = 4 row − 4.
    pub row: usize,
    /// Column: its centre is at x = 4 column − 4.
    pub column: usize,
}

/// A maze of square cells with sides of 4. Cell (1, 1) has its centre at the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maze {
    rows: &'static [&'static str],
}

impl Maze {
    /// U-shaped: D4RL's umaze.
    pub const UMAZE: Maze = Maze { rows: &["#####", "#...#", "###.#", "#...#", "#####"] };

    /// D4RL's and OGBench's medium maze.
    pub const MEDIUM: Maze = Maze {
        rows: &[
            "########", "#..##..#", "#..#...#", "##...###", "#..#...#", "#.#..#.#", "#...#..#", "########",
        ],
    };

    /// D4RL's and OGBench's large maze.
    pub const LARGE: Maze = Maze {
        rows: &[
            "############",
            "#....#.....#",
            "#.##.#.#.#.#",
            "#......#...#",
            "#.####.###.#",
            "#..#.#.....#",
            "##.#.#.#.###",
            "#..#...#...#",
            "############",
        ],
    };

    /// OGBench's arena, without a wall inside.
    pub const ARENA: Maze = Maze {
        rows: &[
            "########", "#......#", "#......#", "#......#", "#......#", "#......#", "#......#", "########",
        ],
    };

    /// OGBench's giant maze.
    pub const GIANT: Maze = Maze {
        rows: &[
            "################",
            "#.#......##....#",
            "#.#.##.#.#..##.#",
            "#...#..#...#...#",
            "#.###.######.#.#",
            "#...#...#....#.#",
            "###.#.#..#.#.###",
            "#...#..#...#...#",
            "#.#.#.######.#.#",
            "#.###...#...##.#",
            "#.....#...#....#",
            "################",
        ],
    };

    /// Number of rows and of columns.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.rows[0].len())
    }

    /// Whether the cell exists and is no wall.
    #[must_use]
    pub fn is_free(&self, cell: Cell) -> bool {
        self.rows.get(cell.row).and_then(|row| row.as_bytes().get(cell.column)) == Some(&b'.')
    }

    /// The free cells, row by row.
    #[must_use]
    pub fn free_cells(&self) -> Vec<Cell> {
        self.cells().filter(|&cell| self.is_free(cell)).collect()
    }

    /// The centre of a cell.
    #[must_use]
    pub fn centre(&self, cell: Cell) -> [f64; 2] {
        [cell.column as f64 * UNIT - UNIT, cell.row as f64 * UNIT - UNIT]
    }

    /// The cell that holds the point; one beyond the border counts as in it.
    #[must_use]
    pub fn cell(&self, [x, y]: [f64; 2]) -> Cell {
        let (rows, columns) = self.size();
        let index = |at: f64, n: usize| (((at + 1.5 * UNIT) / UNIT) as usize).min(n - 1);
        Cell { row: index(y, rows), column: index(x, columns) }
    }

    /// The next cell of a shortest way from one free cell to another; `to` itself where there is none or both are the
    /// same. Of several the first of up, left, down and right.
    #[must_use]
    pub fn next_cell(&self, from: Cell, to: Cell) -> Cell {
        let distances = self.distances(to);
        let index = |cell: Cell| cell.row * self.size().1 + cell.column;
        let nearer = self.neighbours(from).filter(|&cell| distances[index(cell)] < distances[index(from)]);
        nearer.min_by_key(|&cell| distances[index(cell)]).unwrap_or(to)
    }

    /// How many cells a shortest way from one free cell to another has, the first not counted; `None` where there is none.
    #[must_use]
    pub fn distance(&self, from: Cell, to: Cell) -> Option<usize> {
        let distance = self.distances(to)[from.row * self.size().1 + from.column];
        (distance < usize::MAX).then_some(distance)
    }

    /// The distance of every cell to `to`, row by row; the greatest number where there is no way.
    fn distances(&self, to: Cell) -> Vec<usize> {
        let (rows, columns) = self.size();
        let mut distances = vec![usize::MAX; rows * columns];
        let index = |cell: Cell| cell.row * columns + cell.column;
        distances[index(to)] = 0;
        let mut queue = VecDeque::from([to]);
        while let Some(cell) = queue.pop_front() {
            for neighbour in self.neighbours(cell) {
                if distances[index(neighbour)] == usize::MAX {
                    distances[index(neighbour)] = distances[index(cell)] + 1;
                    queue.push_back(neighbour);
                }
            }
        }
        distances
    }

    /// Appends the walls to the world: boxes of height 2 on the ground, named by row and column.
    pub(crate) fn build(&self, world: &mut Element) {
        for cell in self.cells().filter(|&cell| !self.is_free(cell)) {
            let [x, y] = self.centre(cell);
            world.children.push(
                Element::new("geom")
                    .with("name", &format!("block_{}_{}", cell.row, cell.column))
                    .with("type", "box")
                    .with("pos", &format!("{x} {y} 1"))
                    .with("size", &format!("{} {} 1", UNIT / 2.0, UNIT / 2.0))
                    .with("contype", "1")
                    .with("conaffinity", "1"),
            );
        }
    }

    fn cells(&self) -> impl Iterator<Item = Cell> {
        let (rows, columns) = self.size();
        (0..rows).flat_map(move |row| (0..columns).map(move |column| Cell { row, column }))
    }

    /// Up, left, down and right.
    fn neighbours(&self, Cell { row, column }: Cell) -> impl Iterator<Item = Cell> {
        let cell = |row: usize, column: usize| Cell { row, column };
        // What wraps around below 0 is no cell.
        let around = [
            cell(row.wrapping_sub(1), column),
            cell(row, column.wrapping_sub(1)),
            cell(row + 1, column),
            cell(row, column + 1),
        ];
        around.into_iter().filter(|&cell| self.is_free(cell))
    }
}

/// The distance of two points in the plane, of which either may have more coordinates.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    let difference = [a[0] - b[0], a[1] - b[1]];
    numpy::dot(difference, difference).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Maze; 5] = [Maze::UMAZE, Maze::MEDIUM, Maze::LARGE, Maze::GIANT, Maze::ARENA];

    fn cell(row: usize, column: usize) -> Cell {
        Cell { row, column }
    }

    #[test]
    fn borders_are_walls_and_every_free_cell_can_be_reached() {
        for maze in ALL {
            let (rows, columns) = maze.size();
            assert!(maze.rows.iter().all(|row| row.len() == columns));
            for cell in maze.free_cells() {
                assert!((1..rows - 1).contains(&cell.row) && (1..columns - 1).contains(&cell.column));
                assert_eq!(maze.cell(maze.centre(cell)), cell);
                // Walking from cell to cell arrives.
                let (mut at, goal) = (cell, maze.free_cells()[0]);
                for _ in 0..rows * columns {
                    at = maze.next_cell(at, goal);
                    assert!(maze.is_free(at));
                }
                assert_eq!(at, goal);
            }
        }
    }

    #[test]
    fn the_way_goes_round_the_walls() {
        assert_eq!(Maze::UMAZE.next_cell(cell(1, 1), cell(3, 1)), cell(1, 2));
        assert_eq!(Maze::UMAZE.next_cell(cell(3, 2), cell(3, 1)), cell(3, 1));
        assert_eq!(Maze::UMAZE.next_cell(cell(3, 1), cell(3, 1)), cell(3, 1));
        assert_eq!(Maze::LARGE.next_cell(cell(1, 4), cell(7, 9)), cell(2, 4));
        assert_eq!(Maze::UMAZE.distance(cell(1, 1), cell(3, 1)), Some(6));
        assert_eq!(Maze::UMAZE.distance(cell(1, 1), cell(0, 0)), None);
    }

    /// `get_oracle_subgoal` of OGBench (`tests/parity/record_subgoals.py`).
    #[test]
    fn the_next_cell_is_the_one_that_ogbench_steers_to() {
        let text = include_str!("../../../tests/parity/golden/subgoals.json");
        let golden: serde_json::Value = serde_json::from_str(text).unwrap();
        for (size, maze) in [("medium", Maze::MEDIUM), ("large", Maze::LARGE), ("giant", Maze::GIANT)] {
            for row in golden[size].as_array().unwrap() {
                let point = |i: usize| [0, 1].map(|axis| row[i][axis].as_f64().unwrap());
                let next = maze.next_cell(maze.cell(point(0)), maze.cell(point(1)));
                assert_eq!(maze.centre(next), point(2), "{size}: {row}");
            }
        }
    }

    #[test]
    fn a_point_belongs_to_the_cell_around_it() {
        assert_eq!(Maze::UMAZE.cell([1.9, -1.9]), cell(1, 1));
        assert_eq!(Maze::UMAZE.cell([2.1, 8.0]), cell(3, 2));
        assert_eq!(Maze::UMAZE.cell([-100.0, 100.0]), cell(4, 0));
    }
}
