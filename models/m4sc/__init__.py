"""M4SC: multi-modal, multi-task semantic communication."""
