"""Webhooks: findings, told to others as they are stored."""
