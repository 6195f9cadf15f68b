package slacksim

import (
	"cmp"
	"slices"
	"strings"
)

func (s *Sim) wireUser(p Profile) object {
	u := object{
		"id": p.id(), "team_id": team(p.Workspace), "name": p.handle(), "real_name": p.Name, "deleted": p.Deactivated,
		"is_bot": false, "is_app_user": false, "is_admin": false, "is_owner": false,
		"is_restricted": p.Guest || p.SingleChannel, "is_ultra_restricted": p.SingleChannel,
		"tz": "Etc/UTC", "tz_label": "UTC", "tz_offset": 0,
		"profile": object{
			"email": p.Email, "real_name": p.Name, "display_name": p.Name, "team": team(p.Workspace),
			"real_name_normalized": p.Name, "display_name_normalized": p.Name,
		},
	}
	if s.forOrganisation() {
		u["enterprise_user"] = object{
			"id": p.id(), "enterprise_id": organisationID, "enterprise_name": organisationName,
			"is_admin": false, "is_owner": false, "teams": []string{team(p.Workspace)},
		}
	}
	return u
}

// wireRobots are the users that are no people: the app's, and Slackbot, which
// Slack does not call a bot.
func wireRobots() []object {
	robot := func(id, name string, bot bool) object {
		return object{
			"id": id, "team_id": teamID, "name": strings.ToLower(strings.ReplaceAll(name, " ", "")), "real_name": name,
			"deleted": false, "is_bot": bot, "is_app_user": false, "is_restricted": false, "is_ultra_restricted": false,
			"profile": object{"real_name": name, "display_name": name, "team": teamID},
		}
	}
	return []object{robot(slackbot, "Slackbot", false), robot(botUser, botName, true)}
}

func (s *Sim) userInfo(args arguments) (object, *apiError) {
	id := args.text("user")
	for _, robot := range wireRobots() {
		if robot["id"] == id {
			return object{"user": robot}, nil
		}
	}
	p, ok := s.person(id)
	if !ok || p.id() != id {
		return refuse("user_not_found")
	}
	return object{"user": s.wireUser(p)}, nil
}

func (s *Sim) userList(args arguments) (object, *apiError) {
	asked, missing := s.asked(args)
	if missing != nil {
		return nil, missing
	}
	users := wireRobots()
	for _, p := range s.people {
		if in(asked, p.Workspace) {
			users = append(users, s.wireUser(p))
		}
	}
	users, next, err := page(users, args)
	if err != nil {
		return nil, err
	}
	return object{"members": users, "cache_ts": s.config.Clock.Now().Unix(), "response_metadata": next}, nil
}

func (s *Sim) userByEmail(args arguments) (object, *apiError) {
	for _, p := range s.people {
		if strings.EqualFold(p.Email, args.text("email")) && !p.Deactivated {
			return object{"user": s.wireUser(p)}, nil
		}
	}
	return refuse("users_not_found")
}

func (s *Sim) groupList(args arguments) (object, *apiError) {
	asked, missing := s.asked(args)
	if missing != nil {
		return nil, missing
	}
	list := []object{}
	for _, g := range s.groups {
		if !in(asked, g.Workspace) {
			continue
		}
		// Members were checked when the workspace was made.
		ids, _ := s.ids(g.Members)
		o := object{
			"id": g.id(), "team_id": team(g.Workspace), "is_usergroup": true, "name": g.Handle, "handle": g.Handle,
			"description": "", "date_delete": 0, "user_count": len(ids),
		}
		if args.flag("include_users") {
			o["users"] = ids
		}
		list = append(list, o)
	}
	return object{"usergroups": list}, nil
}

func (s *Sim) groupUsers(args arguments) (object, *apiError) {
	asked, missing := s.asked(args)
	if missing != nil {
		return nil, missing
	}
	g, ok := s.group(args.text("usergroup"))
	if !ok || !in(asked, g.Workspace) {
		return refuse("no_such_subteam")
	}
	ids, _ := s.ids(g.Members)
	return object{"users": ids}, nil
}

func wireConversation(c *conversation) object {
	o := object{
		"id": c.ID, "created": 0, "is_archived": c.Archived, "is_member": c.App,
		"is_channel": c.Kind == kindPublic, "is_group": c.Kind == kindPrivate,
		"is_im": c.Kind == kindDirect, "is_mpim": c.Kind == kindGroup,
		"is_private": c.Kind != kindPublic, "is_general": c.Name == "general",
	}
	if c.Kind == kindDirect {
		o["user"] = c.Members[0]
		return o
	}
	o["name"], o["name_normalized"], o["context_team_id"] = c.Name, c.Name, team(c.Workspace)
	o["num_members"] = len(c.memberIDs())
	return o
}

func (c *conversation) memberIDs() []string {
	ids := slices.Clone(c.Members)
	if c.App {
		ids = append(ids, botUser)
	}
	return ids
}

// knownToApp gives a conversation if the app may know of it.
func (s *Sim) knownToApp(id string) *conversation {
	c := s.workspace.conversation(id)
	if c == nil || (c.Kind != kindPublic && !c.App) {
		return nil
	}
	return c
}

func (s *Sim) openConversation(args arguments) (object, *apiError) {
	if id := args.text("channel"); id != "" {
		c := s.knownToApp(id)
		if c == nil || !c.isDirect() {
			return refuse("channel_not_found")
		}
		return object{"no_op": true, "already_open": true, "channel": openedConversation(c, args)}, nil
	}
	var users []string
	for id := range strings.SplitSeq(args.text("users"), ",") {
		if id = strings.TrimSpace(id); id != "" && id != botUser && !slices.Contains(users, id) {
			users = append(users, id)
		}
	}
	switch {
	case len(users) == 0:
		return refuse("users_list_not_supplied")
	case len(users) > maxOpenUsers:
		return refuse("too_many_users")
	}
	for _, id := range users {
		p, ok := s.person(id)
		switch {
		case id == slackbot:
			return refuse("cannot_dm_bot")
		case !ok || p.id() != id:
			return refuse("user_not_found")
		case p.Deactivated:
			return refuse("user_disabled")
		}
	}
	c, existed := s.workspace.direct(users)
	answer := object{"channel": openedConversation(c, args)}
	if existed {
		answer["no_op"], answer["already_open"] = true, true
	} else {
		s.change()
	}
	return answer, nil
}

func openedConversation(c *conversation, args arguments) object {
	if args.flag("return_im") {
		return wireConversation(c)
	}
	return object{"id": c.ID}
}

func (s *Sim) conversationList(args arguments) (object, *apiError) {
	asked, missing := s.asked(args)
	if missing != nil {
		return nil, missing
	}
	types := []string{kindPublic}
	if args.has("types") {
		types = strings.Split(args.text("types"), ",")
	}
	for _, t := range types {
		if !slices.Contains([]string{kindPublic, kindPrivate, kindDirect, kindGroup}, t) {
			return refuse("invalid_types")
		}
	}
	var list []object
	for _, c := range s.workspace.Conversations {
		if s.knownToApp(c.ID) != nil && (c.isDirect() || in(asked, c.Workspace)) && slices.Contains(types, c.Kind) && !(c.Archived && args.flag("exclude_archived")) {
			list = append(list, wireConversation(c))
		}
	}
	list, next, err := page(list, args)
	if err != nil {
		return nil, err
	}
	return object{"channels": anys(list), "response_metadata": next}, nil
}

// userConversations lists those that the app, or a person, is in.
func (s *Sim) userConversations(args arguments) (object, *apiError) {
	asked, missing := s.asked(args)
	if missing != nil {
		return nil, missing
	}
	types := []string{kindPublic}
	if args.has("types") {
		types = strings.Split(args.text("types"), ",")
	}
	user := cmp.Or(args.text("user"), botUser)
	var list []object
	for _, c := range s.workspace.Conversations {
		member := slices.Contains(c.memberIDs(), user) && s.knownToApp(c.ID) != nil
		if member && (c.isDirect() || in(asked, c.Workspace)) && slices.Contains(types, c.Kind) && !(c.Archived && args.flag("exclude_archived")) {
			list = append(list, wireConversation(c))
		}
	}
	list, next, err := page(list, args)
	if err != nil {
		return nil, err
	}
	return object{"channels": anys(list), "response_metadata": next}, nil
}

func (s *Sim) conversationInfo(args arguments) (object, *apiError) {
	c := s.knownToApp(args.text("channel"))
	if c == nil {
		return refuse("channel_not_found")
	}
	return object{"channel": wireConversation(c)}, nil
}

func (s *Sim) conversationMembers(args arguments) (object, *apiError) {
	c := s.knownToApp(args.text("channel"))
	if c == nil {
		return refuse("channel_not_found")
	}
	ids, next, err := page(c.memberIDs(), args)
	if err != nil {
		return nil, err
	}
	return object{"members": ids, "response_metadata": next}, nil
}

func (s *Sim) joinConversation(args arguments) (object, *apiError) {
	c := s.knownToApp(args.text("channel"))
	switch {
	case c == nil:
		return refuse("channel_not_found")
	case c.Kind != kindPublic:
		return refuse("method_not_supported_for_channel_type")
	case c.Archived:
		return refuse("is_archived")
	}
	answer := object{"channel": wireConversation(c)}
	if c.App {
		answer["warning"] = "already_in_channel"
	}
	c.App = true
	s.change()
	return answer, nil
}
