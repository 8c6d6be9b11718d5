"""What the box keeps on disk: findings, reports on their way, snapshots, its secret."""
