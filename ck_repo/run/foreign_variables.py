"""Variables of other CK programs for ``--env.NAME=``, and why they have no effect here."""

from __future__ import annotations

_REASONS = {
    "ck prints progress automatically; a run's logs are in its folder": ("CK_VERBOSE VERBOSE CK_SILENT_MODE FULL_REPORT DEBUG"),
    "the rules of the round set it": (
        "CK_LOADGEN_BUFFER_SIZE CK_LOADGEN_PERFORMANCE_COUNT CK_LOADGEN_MLPERF_CONF CK_ENV_MLPERF_INFERENCE_MLPERF_CONF"
    ),
    "the number of queries follows from --time= and the rules of the round": (
        "CK_LOADGEN_COUNT_OVERRIDE CK_LOADGEN_MAX_QUERY_COUNT"
    ),
    "the model's entry describes its interface": (
        "CK_LOADGEN_REF_PROFILE CK_PROFILE MLPERF_PROFILE MLPERF_PROFILE_BACKEND MLPERF_DATASET "
        "MLPERF_MODEL_FORMAT CK_MLPERF_PROFILE CK_OPENVINO_MODEL_NAME CK_LOADGEN_TASK CK_CHECKPOINT_PREFIX"
    ),
    "TensorRT is not supported": (
        "CK_ENABLE_TENSORRT CK_TF_NEED_TENSORRT CK_TENSORRT_DYNAMIC CK_LOADGEN_TENSORRT_DYNAMIC "
        "CK_TENSORRT_PRECISION CK_LOADGEN_TENSORRT_PRECISION CK_LOADGEN_TENSORRT_BATCH_SIZE"
    ),
    "images are selected with --count= and --dataset=": (
        "CK_IMAGE_FILE CK_SKIP_IMAGES CK_FILE CK_DIR CK_DATASET FILTER CK_FILTER CK_TMP_IMAGE_SIZE "
        "CK_CROP_PERCENT CK_RECREATE_CACHE CK_ENV_IMAGE_WIDTH CK_ENV_IMAGE_HEIGHT"
    ),
    "a model of your own is registered with `ck detect soft:model.onnx --full_path=`": (
        "CK_CUSTOM_MODEL CUSTOM_MODEL_SETTINGS CK_NETWORK"
    ),
    "non-maximum suppression is that of the model, or that of the reference": (
        "USE_NMS USE_CUSTOM_NMS_SETTINGS NMS_SCORE_THRESHOLD NMS_IOU_THRESHOLD MAX_DETECTIONS CK_DETECTION_THRESHOLD"
    ),
    "the batch is measured, or set with --batch-size=": ("CK_ENABLE_BATCH"),
    "it is measured, or set with --sessions= and --threads=": (
        "CK_OPENVINO_NIREQ CK_OPENVINO_NWARMUP_ITERS USE_CPPTHREADS USE_OPENMP KMP_SETTINGS KMP_BLOCKTIME KMP_AFFINITY"
    ),
    "GPU memory is left to the framework": ("CK_TF_GPU_MEMORY_PERCENT"),
    "a run has its own folder, and is recorded": (
        "CK_TIMER_FILE CK_PREPROCESSED_OUT_DIR CK_DETECTIONS_OUT_DIR CK_RESULTS_OUT_DIR "
        "CK_ANNOTATIONS_OUT_DIR CK_RESULTS_DIR CK_SAVE_IMAGES CK_WORKER_OUTPUT_FORMAT"
    ),
    "`ck generate submission` creates a submission": (
        "CK_MLPERF_SUBMISSION_ROOT CK_MLPERF_SUBMISSION_REPO CK_MLPERF_SUBMISSION_SUBMITTER "
        "CK_MLPERF_SUBMITTER CK_MLPERF_DASHBOARD_FILE CK_MLPERF_DASHBOARD_DIR"
    ),
    "nothing is compiled": (
        "USE_NEON USE_OPENCL USE_EMBEDDED_KERNELS USE_GRAPH USE_EDGETPU EXTRA_CXXFLAGS CK_LWS_TUNER_TYPE "
        "OPENBLAS_TARGET OPENBLAS_LAPACK OPENBLAS_FORTRAN"
    ),
    "TVM is not supported": (
        "MLPERF_TVM_EXECUTOR MLPERF_TVM_TARGET MLPERF_TVM_OPT_LEVEL MLPERF_TVM_USE_DNNL "
        "MLPERF_TVM_TRANSFORM_LAYOUT MLPERF_TVM_APPLY_HISTORY MLPERF_DELETE_COMPILED_MODEL"
    ),
    "every run includes a warm-up": ("CK_LOADGEN_TRIGGER_COLD_RUN"),
    "it belongs to other programs, and has no meaning for object detection": (
        "CK_RNNT_PRE_BACKEND CK_RNNT_PRE CK_RNNT_POST_BACKEND CK_RNNT_POST CK_RNNT_DEC_BACKEND CK_RNNT_DEC "
        "CK_RNNT_MAX_DURATION CK_RNNT_DATASET CK_PROGRAM CK_FILE_NUMBER NUM_BATCHES CK_LOADGEN_SUPPORT "
        "CK_MLPERF_PRE_USER_CONF_AND_AUDIT_CONFIG CK_MLPERF_PRE_SCHINDLER ENABLE_OPTS MLPERF_USE_BIN_LOADER"
    ),
}
# a variable of CK's programs, and why it has no effect
VARIABLES_WITHOUT_EFFECT = {name: reason for reason, names in _REASONS.items() for name in names.split()}
