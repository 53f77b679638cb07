"""Each kind of real-world input has a test; this table names them so that none gets lost."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
_TOOLS = "unit/harness/test_harness_annotations_of_tools.py"
_SAME = f"{_TOOLS}::test_unambiguous_deviations_are_corrected_and_reported_once"
_REFUSED = f"{_TOOLS}::test_ambiguous_annotations_are_rejected_by_name"
_REMARKED = f"{_TOOLS}::test_suspicious_annotations_are_remarked"
_IMAGES = "unit/harness/test_harness_image_files.py"
_OUTPUTS = "unit/harness/test_harness_outputs.py"
_SHAPES = "unit/harness/test_harness_interfaces.py"
_RECOGNISED = "unit/models/test_models_recognise.py"

# kind of input: its tests as file::function, with the parametrized case in brackets
ROWS: dict[str, tuple[str, ...]] = {
    # annotations
    "ids of annotations from 0, all 0, per image, null, absent": tuple(
        f"{_SAME}[annotation ids {kind}]" for kind in ("from 0", "all 0", "by image", "null", "absent")
    ),
    "annotations without id, iscrowd or area": (f"{_SAME}[no iscrowd]", f"{_SAME}[no area]"),
    "ids of images as text": (f"{_SAME}[image ids in quotes]", f"{_SAME}[image ids as names]"),
    "a byte order mark, UTF-16": (f"{_TOOLS}::test_windows_encodings_are_read",),
    "a bbox that is empty, not finite, or of three numbers": tuple(
        f"{_REFUSED}[{kind}]" for kind in ("empty list", "no width", "NaN", "infinite", "three numbers")
    ),
    "two images of an id": (f"{_REFUSED}[two images of an id]", f"{_REFUSED}[two images of an id, once in quotes]"),
    "iscrowd in quotes": (f"{_SAME}[iscrowd in quotes]",),
    "no annotations at all": (
        f"{_REMARKED}[nothing]",
        f"{_TOOLS}::test_undefined_map_is_rejected",
    ),
    "no file_name": (f"{_REFUSED}[no file_name]", f"{_REFUSED}[empty file_name]"),
    "sizes in quotes, unknown and unused categories": (
        f"{_SAME}[sizes in quotes]",
        f"{_REMARKED}[category that is not named]",
        f"{_SAME}[category 0 of nothing]",
    ),
    "backslashes in file names": (f"{_SAME}[backslashes]",),
    "URLs in place of file names": (f"{_REFUSED}[URL]",),
    "absolute file names": (
        f"{_TOOLS}::test_absolute_image_names_are_accepted",
        "end_to_end/test_data_sets.py::test_every_format_scores_the_same_on_both_machines",
    ),
    "boxes outside the image, corners in place of sizes": (f"{_REMARKED}[boxes outside]", f"{_REMARKED}[corners]"),
    # images
    "a size that EXIF orientation swaps": (f"{_IMAGES}::test_swapped_size_is_explained_by_orientation",),
    "a film behind the end of a JPEG": (f"{_IMAGES}::test_data_after_jpeg_end_marker_is_ignored",),
    "an image with more pixels than OpenCV decodes": (f"{_IMAGES}::test_giant_image_is_named_with_its_size",),
    "images in sub-folders that change": (
        "unit/machine/test_machine_data_set.py::test_changed_image_is_detected",
        "integration/test_integration_data_sets.py::test_file_changes_are_detected_and_reread",
    ),
    # models
    "answers that are not finite": (
        f"{_OUTPUTS}::test_impossible_value_names_sample_and_output",
        f"{_OUTPUTS}::test_run_with_impossible_answer_leaves_no_results",
    ),
    "a number of detections that cannot be": (f"{_OUTPUTS}::test_impossible_value_names_sample_and_output",),
    "boxes in pixels, classes from 0": (f"{_SHAPES}::test_better_interpretation_is_suggested",),
    "weights in a file beside the model": (
        f"{_SHAPES}::test_external_weights",
        "unit/models/test_models_parts.py::test_changed_or_missing_part_is_detected",
        "end_to_end/test_data_sets.py::test_every_format_scores_the_same_on_both_machines",
    ),
    "a fixed batch": (f"{_SHAPES}::test_map_does_not_depend_on_the_interface",),
    "names of TensorFlow 2, other orders of outputs, SavedModels, OpenVINO": (
        f"{_RECOGNISED}::test_known_exports[TensorFlow 2]",
        f"{_RECOGNISED}::test_tflite_detection_outputs_in_any_order",
        "exports/test_exports_tensorflow.py::test_saved_model",
        f"{_SHAPES}::test_openvino_format",
    ),
    "a profile that does not fit the file": (f"{_RECOGNISED}::test_profile_with_shapes_missing_from_the_file",),
    # submissions
    "scenario folders in lower case": ("unit/rounds/test_rounds_published.py::test_scenario_folders_are_case_insensitive",),
    "a system without an operating system": (
        "unit/rounds/test_rounds_mutations.py::test_verdicts_after_mutation",
        "round_mutations.py::[an empty operating system]",
    ),
    "a power meter with channels": ("unit/rounds/test_rounds_check.py::test_power_is_that_of_the_whole_meter_with_channels",),
    "energy in SingleStream": ("unit/rounds/test_rounds_check.py::test_single_query_power_is_energy_per_query",),
    # the first week
    "a repository with entries of our names": (
        "unit/run/test_run_trial.py::test_program_of_same_name_in_another_repository_is_not_run",
        "end_to_end/test_front_door.py::test_repository_with_same_modules_and_entries_changes_nothing",
    ),
    "a venv that was moved": ("unit/environment/test_environment_venv.py::test_moved_venv_is_detected",),
    "a venv whose interpreter is of another version now": (
        "unit/environment/test_environment_venv.py::test_broken_venv_is_detected_and_never_uses_another_python[another Python]",
    ),
    "removal by pattern": (
        "unit/actions/test_actions_entry.py::test_rm_of_pattern_without_terminal_needs_force",
        "unit/actions/test_actions_entry.py::test_rm_asks_on_terminal",
        "unit/actions/test_actions_restore.py::test_removed_entries_are_listed_and_restored",
    ),
    "a bundle on a machine without any repository": (
        "unit/reproduce/test_reproduce_recipes.py::test_recipe_comes_from_lock_without_repositories",
        "end_to_end/test_reproduce.py::test_bundle_is_enough_for_an_offline_machine",
    ),
    "an archive with a model of another repository": (
        "unit/reproduce/test_reproduce_recipes.py::test_replay_uses_recipe_of_lock_not_its_tags",
    ),
    "accuracy in Server": (
        "unit/run/test_run_rates.py::test_accuracy_runs_at_full_speed",
        "unit/harness/test_harness_loadgen.py::test_server_accuracy_runs_at_full_speed",
    ),
    "published results beside another model": (
        "unit/experiments/test_experiments_round_subject.py::test_other_models_are_marked_not_comparable",
    ),
    "a closed tree of another data set": (
        "unit/experiments/test_experiments_round_subject.py::test_closed_tree_of_another_data_set_is_rejected",
    ),
    "a list that nothing matches": ("unit/actions/test_actions_experiment.py::test_mismatches_are_reported",),
    "the tag of runs of a search": ("unit/submit/test_submit_choose.py::[find-performance]",),
    "a search that is interrupted, or cannot write": (
        "unit/submit/test_submit_targets.py::test_interrupted_search_keeps_best_target_and_continues",
        "unit/submit/test_submit_targets.py::test_unwritable_output_is_rejected_before_the_search",
    ),
    "a bare repository": ("unit/store/test_store_push.py::test_bare_repository_without_default_branch_is_cloned",),
    "misspelt keys of a package": ("unit/resolve/test_resolve_package_keys.py::test_misspelt_key_suggests_nearest",),
    "a misspelt name of a venv": ("unit/actions/test_actions_new_venv.py::test_unknown_name_suggests_nearest",),
    "scenarios as the field writes them": ("unit/run/test_run_options.py::[Offline]",),
    "an installation from a checkout": ("end_to_end/test_packaging.py::test_wheel_records_commit_of_checkout",),
    "repetitions": ("unit/experiments/test_experiments_repetitions.py::test_median_and_spread",),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_kind_of_real_input_has_a_test(row: str) -> None:
    for test in ROWS[row]:
        file, _, name = test.partition("::")
        function, _, case = name.removesuffix("]").partition("[")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        assert not function or function in functions, f"{file} has no {function}"
        assert not case or case in texts, f"{file} has no case {case}"
