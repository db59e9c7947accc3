"""gateway.Gateway: one file for each call, with the status codes and texts of Fabric's internal/pkg/gateway."""
