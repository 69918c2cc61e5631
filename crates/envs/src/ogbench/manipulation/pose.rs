//! Rotations as quaternions (w, x, y, z), and poses (`ogbench/manipspace/lie`).

/// A rotation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rotation(pub(super) [f64; 4]);

impl Rotation {
    pub(super) const IDENTITY: Rotation = Rotation([1.0, 0.0, 0.0, 0.0]);

    /// By `angle` about the z axis.
    pub(super) fn about_z(angle: f64) -> Self {
        let squared = angle * angle;
        if squared < 1e-10 {
            let real = 1.0 - squared / 8.0 + squared * squared / 384.0;
            let imaginary = 0.5 - squared / 48.0 + squared * squared / 3840.0;
            return Self([real, 0.0, 0.0, imaginary * angle]);
        }
        let size = squared.sqrt();
        Self([(0.5 * size).cos(), 0.0, 0.0, (0.5 * size).sin() / size * angle])
    }

    pub(super) fn inverse(self) -> Self {
        let [w, x, y, z] = self.0;
        Self([w, -x, -y, -z])
    }

    /// This rotation after `other`.
    pub(super) fn after(self, other: Self) -> Self {
        let ([w0, x0, y0, z0], [w1, x1, y1, z1]) = (self.0, other.0);
        Self([
            -x0 * x1 - y0 * y1 - z0 * z1 + w0 * w1,
            x0 * w1 + y0 * z1 - z0 * y1 + w0 * x1,
            -x0 * z1 + y0 * w1 + z0 * x1 + w0 * y1,
            x0 * y1 - y0 * x1 + z0 * w1 + w0 * z1,
        ])
    }

    pub(super) fn rotate(self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        let Rotation([_, x, y, z]) = self.after(Self([0.0, x, y, z])).after(self.inverse());
        [x, y, z]
    }

    pub(super) fn yaw(self) -> f64 {
        let [w, x, y, z] = self.0;
        (2.0 * (w * z + x * y)).atan2(1.0 - 2.0 * (y * y + z * z))
    }

    /// The axis times the angle: `mju_quat2Vel` for 1 s.
    pub(super) fn to_vector(self) -> [f64; 3] {
        let [w, x, y, z] = self.0;
        let sine = (x * x + y * y + z * z).sqrt();
        let axis = if sine < 1e-15 { [1.0, 0.0, 0.0] } else { [x, y, z].map(|v| v * (1.0 / sine)) };
        let sine = if sine < 1e-15 { 0.0 } else { sine };
        let angle = 2.0 * sine.atan2(w);
        let angle = if angle > std::f64::consts::PI { angle - std::f64::consts::TAU } else { angle };
        axis.map(|v| v * angle)
    }
}

/// A place and how something lies there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pose {
    pub(super) rotation: Rotation,
    pub(super) translation: [f64; 3],
}

impl Pose {
    pub(super) fn inverse(self) -> Self {
        let rotation = self.rotation.inverse();
        Self { rotation, translation: rotation.rotate(self.translation).map(|x| -x) }
    }

    /// This pose's frame seen from where `self` is: `self` times `other`.
    pub(super) fn times(self, other: Self) -> Self {
        let moved = self.rotation.rotate(other.translation);
        let translation = std::array::from_fn(|i| moved[i] + self.translation[i]);
        Self { rotation: self.rotation.after(other.rotation), translation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_about_z_turns_x_to_y() {
        let turn = Rotation::about_z(std::f64::consts::FRAC_PI_2);
        let [x, y, z] = turn.rotate([1.0, 0.0, 0.0]);
        assert!(x.abs() < 1e-15 && (y - 1.0).abs() < 1e-15 && z == 0.0);
        for angle in [-3.0, -1.0, -1e-6, 0.0, 1e-7, 0.5, 2.0] {
            let turn = Rotation::about_z(angle);
            assert!((turn.yaw() - angle).abs() < 1e-15, "{angle}");
            assert!((turn.to_vector()[2] - angle).abs() < 1e-15, "{angle}");
        }
        // The longer way round is taken back.
        assert!((Rotation::about_z(4.0).to_vector()[2] - (4.0 - std::f64::consts::TAU)).abs() < 1e-15);
    }

    #[test]
    fn a_pose_times_its_inverse_is_none() {
        let pose = Pose { rotation: Rotation::about_z(0.7), translation: [1.0, -2.0, 3.0] };
        let Pose { rotation, translation } = pose.times(pose.inverse());
        assert!((rotation.0[0] - 1.0).abs() < 1e-15);
        assert!(translation.iter().all(|x| x.abs() < 1e-15), "{translation:?}");
    }
}
