from sym.sdk.strategies import AccessStrategy


class Tickets(AccessStrategy):
    def fetch_remote_identity(self, user):
        return user.email

    def escalate(self, target_id, event):
        return {"target": target_id}

    def deescalate(self, target_id, event):
        return {"target": target_id}
