//! The scene's model, put together from the package's parts as its dm_control code does: arm and gripper keep their
//! names behind `ur5e/` and `ur5e/robotiq/`, and each stands in a body of its own.
//!
//! What can't collide is dropped: of the arm in the text, because its bodies have explicit inertias; of the gripper by
//! MuJoCo, which takes the inertias of its bodies from their visual meshes first.

use crate::mjcf::Element;
use anyhow::Result;
use diagnostics::BadInput;
use mujoco::Model;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Attributes that hold the name of something in the same file.
const REFERENCES: [&str; 11] =
    ["name", "class", "childclass", "mesh", "joint", "joint1", "joint2", "body1", "body2", "tendon", "site"];

/// The files of the package.
pub(super) struct Parts {
    folder: PathBuf,
}

impl Parts {
    pub(super) fn new(ogbench: &Path) -> Self {
        Self { folder: ogbench.join("manipspace/descriptions") }
    }

    pub(super) fn read(&self, name: &str) -> Result<Element, BadInput> {
        Element::read(&self.folder.join(name))
    }

    /// The arm without what is only seen.
    fn arm(&self) -> Result<Element, BadInput> {
        let mut arm = self.read("universal_robots_ur5e/ur5e.xml")?;
        arm.children.retain(|child| !["asset", "keyframe"].contains(&child.tag.as_str()));
        arm.walk(&mut |element| {
            element.children.retain(|child| child.tag != "light" && child.get("class") != Some("visual"));
        });
        Ok(arm)
    }

    fn gripper(&self) -> Result<Element, BadInput> {
        let mut gripper = self.read("robotiq_2f85/2f85.xml")?;
        gripper.child("asset")?.children.retain(|child| child.tag == "mesh");
        gripper.walk(&mut |element| {
            element.attributes.retain(|(name, _)| name != "material");
            if element.tag == "mesh" && element.get("name").is_none() {
                // Its name is that of its file, which the prefix must reach too.
                if let Some(stem) =
                    element.get("file").and_then(|file| file.split('.').next()).map(str::to_owned)
                {
                    element.set("name", &stem);
                }
            }
        });
        Ok(gripper)
    }

    /// A part without colours, and with the whole paths of its meshes.
    pub(super) fn with_meshes(&self, name: &str) -> Result<Element, BadInput> {
        let mut part = self.read(name)?;
        part.walk(&mut |element| {
            element.children.retain(|child| child.tag != "material");
            element.attributes.retain(|(name, _)| name != "material");
            if let ("mesh", Some(file)) = (element.tag.as_str(), element.get("file")) {
                let file = self.folder.join(file).to_string_lossy().into_owned();
                element.set("file", &file);
            }
        });
        // Files may begin with an asset for colours and have another for meshes.
        let assets =
            part.children.extract_if(.., |child| child.tag == "asset").flat_map(|asset| asset.children);
        let mut asset = Element::new("asset");
        asset.children.extend(assets);
        part.children.push(asset);
        Ok(part)
    }

    /// The arm alone, for inverse kinematics.
    pub(super) fn compile_arm(&self) -> Result<Arc<Model>> {
        Model::from_xml(&self.arm()?.to_xml(), &self.folder)
    }

    /// The table with arm and gripper, and what objects on it need of defaults, meshes and the world.
    pub(super) fn compile(
        &self,
        defaults: Vec<Element>,
        meshes: Vec<Element>,
        objects: Vec<Element>,
    ) -> Result<Arc<Model>> {
        let mut arm = prefixed(self.arm()?, "ur5e/");
        let mut gripper = prefixed(self.gripper()?, "ur5e/robotiq/");
        let flange = arm.named("site", "ur5e/attachment_site")?;
        let mut mount = Element::new("body").with("name", "ur5e/robotiq/");
        for name in ["pos", "quat"] {
            if let Some(value) = flange.get(name) {
                mount.set(name, value);
            }
        }
        mount.children.append(&mut gripper.child("worldbody")?.children);
        arm.named("body", "ur5e/wrist_3_link")?.children.push(mount);
        let mut base = Element::new("body").with("name", "ur5e/");
        base.children.append(&mut arm.child("worldbody")?.children);

        let mut table = self.read("floor_wall.xml")?;
        let mut world = Element::new("worldbody");
        let walls = table.child("worldbody")?.children.drain(..).filter(|child| child.tag == "geom");
        world.children.extend(walls.map(|mut geom| {
            geom.attributes.retain(|(name, _)| name != "material");
            geom
        }));
        world.children.push(base);
        world.children.extend(objects);

        let mut scene = Element::new("mujoco");
        let mesh_folder = self.folder.join("robotiq_2f85/assets");
        scene.children.push(
            Element::new("compiler")
                .with("autolimits", "true")
                .with("angle", "radian")
                .with("discardvisual", "true")
                .with("meshdir", &mesh_folder.to_string_lossy()),
        );
        scene.children.push(
            Element::new("option")
                .with("timestep", "0.002")
                .with("integrator", "implicitfast")
                .with("cone", "elliptic")
                .with("impratio", "10"),
        );
        let mut default = Element::new("default");
        default.children.extend(defaults);
        default.children.append(&mut arm.child("default")?.children);
        default.children.append(&mut gripper.child("default")?.children);
        let mut asset = gripper.child("asset")?.clone();
        asset.children.extend(meshes);
        scene.children.extend([default, asset, world]);
        for tag in ["contact", "equality", "tendon"] {
            scene.children.push(gripper.child(tag)?.clone());
        }
        let mut actuators = arm.child("actuator")?.clone();
        actuators.children.append(&mut gripper.child("actuator")?.children);
        scene.children.push(actuators);
        Model::from_xml(&scene.to_xml(), &self.folder)
    }
}

/// The model with every name behind `prefix`.
fn prefixed(mut model: Element, prefix: &str) -> Element {
    model.walk(&mut |element| {
        for (name, value) in &mut element.attributes {
            if REFERENCES.contains(&name.as_str()) {
                value.insert_str(0, prefix);
            }
        }
    });
    model
}
