"""The pages beside the interface: health, metrics, the description, the dashboard, consent of endpoints."""
