"""What has to happen although nobody calls: offers expire, jobs close, old data goes."""
